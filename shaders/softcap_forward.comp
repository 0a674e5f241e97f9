#version 460
#extension GL_GOOGLE_include_directive : require
#include "element.glsl"
#include "elementwise.glsl"
#include "softcap.glsl"

// y = cap * tanh(x / cap).
layout(push_constant) uniform Push {
  uint count;
  float cap;
};
layout(set = 0, binding = 0, std430) readonly buffer X { ELEMENT_OF(X_DTYPE) x[]; };   // (count)
layout(set = 0, binding = 1, std430) writeonly buffer Y { ELEMENT_OF(Y_DTYPE) y[]; };  // (count)

void main() {
  ELEMENTWISE_LOOP(i, count) {
    y[i] = to_element_of(Y_DTYPE, softcap(from_element_of(X_DTYPE, x[i]), cap));
  }
}
