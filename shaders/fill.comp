#version 460
#extension GL_GOOGLE_include_directive : require
#include "elementwise.glsl"

// Sets every 32-bit word.
layout(push_constant) uniform Push {
  uint count;
  uint word;
};
layout(set = 0, binding = 0, std430) writeonly buffer Words { uint words[]; };  // (count)

void main() {
  ELEMENTWISE_LOOP(i, count) { words[i] = word; }
}
