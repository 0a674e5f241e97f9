#version 460
#extension GL_GOOGLE_include_directive : require
#include "activation.glsl"
#include "element.glsl"
#include "elementwise.glsl"

// y = activate(x).
layout(push_constant) uniform Push { uint count; };
layout(set = 0, binding = 0, std430) readonly buffer X { ELEMENT x[]; };   // (count)
layout(set = 0, binding = 1, std430) writeonly buffer Y { ELEMENT y[]; };  // (count)

void main() {
  ELEMENTWISE_LOOP(i, count) { y[i] = to_element(activate(from_element(x[i]))); }
}
