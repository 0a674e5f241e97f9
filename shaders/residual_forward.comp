#version 460
#extension GL_GOOGLE_include_directive : require
#include "element.glsl"
#include "elementwise.glsl"

// z = x + y.
layout(push_constant) uniform Push { uint count; };
layout(set = 0, binding = 0, std430) readonly buffer X { ELEMENT_OF(X_DTYPE) x[]; };   // (count)
layout(set = 0, binding = 1, std430) readonly buffer Y { ELEMENT_OF(Y_DTYPE) y[]; };   // (count)
layout(set = 0, binding = 2, std430) writeonly buffer Z { ELEMENT_OF(Z_DTYPE) z[]; };  // (count)

void main() {
  ELEMENTWISE_LOOP(i, count) {
    z[i] = to_element_of(Z_DTYPE, from_element_of(X_DTYPE, x[i]) + from_element_of(Y_DTYPE, y[i]));
  }
}
