#version 460
#extension GL_GOOGLE_include_directive : require
#include "activation.glsl"
#include "element.glsl"
#include "elementwise.glsl"

// dx = dy * activate'(x).
layout(push_constant) uniform Push { uint count; };
layout(set = 0, binding = 0, std430) readonly buffer DY { ELEMENT dy[]; };   // (count)
layout(set = 0, binding = 1, std430) readonly buffer X { ELEMENT x[]; };     // (count)
layout(set = 0, binding = 2, std430) writeonly buffer DX { ELEMENT dx[]; };  // (count)

void main() {
  ELEMENTWISE_LOOP(i, count) {
    dx[i] = to_element(from_element(dy[i]) * activate_grad(from_element(x[i])));
  }
}
