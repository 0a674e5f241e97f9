#version 460
#extension GL_GOOGLE_include_directive : require
#include "elementwise.glsl"

// z = x + y.
layout(push_constant) uniform Push { uint count; };
layout(set = 0, binding = 0, std430) readonly buffer X { float x[]; };   // (count)
layout(set = 0, binding = 1, std430) readonly buffer Y { float y[]; };   // (count)
layout(set = 0, binding = 2, std430) writeonly buffer Z { float z[]; };  // (count)

void main() {
  ELEMENTWISE_LOOP(i, count) { z[i] = x[i] + y[i]; }
}
