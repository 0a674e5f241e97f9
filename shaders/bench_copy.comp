#version 460
#extension GL_GOOGLE_include_directive : require
#include "elementwise.glsl"

// y = x: the bandwidth that others are measured by (cli/bench_limits.cpp). WORD is what a load takes at once.
layout(push_constant) uniform Push { uint count; };
layout(set = 0, binding = 0, std430) readonly buffer X { WORD x[]; };   // (count)
layout(set = 0, binding = 1, std430) writeonly buffer Y { WORD y[]; };  // (count)

void main() {
  ELEMENTWISE_LOOP(i, count) { y[i] = x[i]; }
}
