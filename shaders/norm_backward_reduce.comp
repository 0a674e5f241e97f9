#version 460
#extension GL_GOOGLE_include_directive : require
#include "grid.glsl"

// Second stage of dweight and dbias: adds the blocks' sums to them, in the order of the blocks. DWEIGHT and
// DBIAS, where defined, are their places among the SUMS of a block.
layout(local_size_x_id = 0) in;

layout(push_constant) uniform Push {
  uint C;
  uint blocks;
};
layout(set = 0, binding = 0, std430) readonly buffer Partials { float partials[]; };  // (blocks, SUMS, C)
#ifdef DWEIGHT
layout(set = 0, binding = 1 + DWEIGHT, std430) buffer DWeightBuffer { float dweight[]; };  // (C)
#endif
#ifdef DBIAS
layout(set = 0, binding = 1 + DBIAS, std430) buffer DBiasBuffer { float dbias[]; };  // (C)
#endif

// The sum at `place` of column c over the blocks.
float block_sum(uint place, uint c) {
  float sum = 0.0;
  for (uint block = 0; block < blocks; ++block) sum += partials[(SUMS * block + place) * C + c];
  return sum;
}

void main() {
  const uint c = grid_invocation();
  if (c >= C) return;
#ifdef DWEIGHT
  dweight[c] += block_sum(DWEIGHT, c);
#endif
#ifdef DBIAS
  dbias[c] += block_sum(DBIAS, c);
#endif
}
