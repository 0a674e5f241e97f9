#version 460
#extension GL_GOOGLE_include_directive : require
#include "elementwise.glsl"
#include "gelu.glsl"

// y = gelu(x).
layout(push_constant) uniform Push { uint count; };
layout(set = 0, binding = 0, std430) readonly buffer X { float x[]; };   // (count)
layout(set = 0, binding = 1, std430) writeonly buffer Y { float y[]; };  // (count)

void main() {
  ELEMENTWISE_LOOP(i, count) { y[i] = gelu(x[i]); }
}
