#version 460
#extension GL_GOOGLE_include_directive : require
#include "grid.glsl"

// Second stage of the gradient of q_weight or k_weight: adds the blocks' sums to it, in the order of the blocks.
layout(local_size_x_id = 0) in;

layout(push_constant) uniform Push {
  uint HS;
  uint blocks;
};
layout(set = 0, binding = 0, std430) readonly buffer Partials { float partials[]; };  // (blocks, HS)
layout(set = 0, binding = 1, std430) buffer DWeight { float dweight[]; };             // (HS)

void main() {
  const uint i = grid_invocation();
  if (i >= HS) return;
  float sum = 0.0;
  for (uint block = 0; block < blocks; ++block) sum += partials[block * HS + i];
  dweight[i] += sum;
}
