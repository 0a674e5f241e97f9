#version 460
#extension GL_GOOGLE_include_directive : require
#include "elementwise.glsl"

// y = x: the reference bandwidth of 'vkgpt bench'. WORD is the type of one load.
layout(push_constant) uniform Push { uint count; };
layout(set = 0, binding = 0, std430) readonly buffer X { WORD x[]; };   // (count)
layout(set = 0, binding = 1, std430) writeonly buffer Y { WORD y[]; };  // (count)

void main() {
  ELEMENTWISE_LOOP(i, count) { y[i] = x[i]; }
}
