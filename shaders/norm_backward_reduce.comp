#version 460
#extension GL_GOOGLE_include_directive : require
#include "grid.glsl"

// Second stage of dweight and dbias: adds the blocks' sums to them. An invocation owns a column; gl_WorkGroupSize.y of them
// take every so many blocks, and the first adds what they found in order. DWEIGHT and DBIAS, where defined, are the places
// of the two among the SUMS of a block.
layout(local_size_x_id = 0, local_size_y_id = 1) in;

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

shared float parts[gl_WorkGroupSize.x * gl_WorkGroupSize.y];

// The sum at `place` of column c over the blocks, for the first invocation of the column.
float block_sum(uint place, uint c) {
  float sum = 0.0;
  if (c < C) {
    for (uint block = gl_LocalInvocationID.y; block < blocks; block += gl_WorkGroupSize.y) {
      sum += partials[(SUMS * block + place) * C + c];
    }
  }
  if (gl_WorkGroupSize.y == 1) return sum;
  barrier();  // the parts of another place are being read
  parts[gl_LocalInvocationIndex] = sum;
  barrier();
  for (uint part = 1; gl_LocalInvocationID.y == 0 && part < gl_WorkGroupSize.y; ++part) {
    sum += parts[part * gl_WorkGroupSize.x + gl_LocalInvocationID.x];
  }
  return sum;
}

void main() {
  const uint c = grid_group() * gl_WorkGroupSize.x + gl_LocalInvocationID.x;
  const bool is_owner = c < C && gl_LocalInvocationID.y == 0;
#ifdef DWEIGHT
  const float weight_sum = block_sum(DWEIGHT, c);
  if (is_owner) dweight[c] += weight_sum;
#endif
#ifdef DBIAS
  const float bias_sum = block_sum(DBIAS, c);
  if (is_owner) dbias[c] += bias_sum;
#endif
}
