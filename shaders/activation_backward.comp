#version 460
#extension GL_GOOGLE_include_directive : require
#include "elementwise.glsl"
#include "gelu.glsl"

// dx = dy * gelu'(x).
layout(push_constant) uniform Push { uint count; };
layout(set = 0, binding = 0, std430) readonly buffer DY { float dy[]; };   // (count)
layout(set = 0, binding = 1, std430) readonly buffer X { float x[]; };     // (count)
layout(set = 0, binding = 2, std430) writeonly buffer DX { float dx[]; };  // (count)

void main() {
  ELEMENTWISE_LOOP(i, count) { dx[i] = dy[i] * gelu_grad(x[i]); }
}
