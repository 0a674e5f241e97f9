#version 460
#extension GL_GOOGLE_include_directive : require
#include "grid.glsl"

// Second stage of dweight and dbias: adds the blocks' sums to them, in the order of the blocks.
layout(local_size_x_id = 0) in;

layout(push_constant) uniform Push {
  uint C;
  uint blocks;
};
layout(set = 0, binding = 0, std430) readonly buffer Partials { float partials[]; };  // (blocks, 2, C)
layout(set = 0, binding = 1, std430) buffer DWeight { float dweight[]; };             // (C)
layout(set = 0, binding = 2, std430) buffer DBias { float dbias[]; };                 // (C)

void main() {
  const uint c = grid_invocation();
  if (c >= C) return;
  float weight_sum = 0.0;
  float bias_sum = 0.0;
  for (uint block = 0; block < blocks; ++block) {
    weight_sum += partials[(2 * block) * C + c];
    bias_sum += partials[(2 * block + 1) * C + c];
  }
  dweight[c] += weight_sum;
  dbias[c] += bias_sum;
}
