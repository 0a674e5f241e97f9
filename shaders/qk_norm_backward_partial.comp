#version 460
#extension GL_GOOGLE_include_directive : require
#include "element.glsl"
#include "grid.glsl"

// First stage of the gradient of q_weight or k_weight: sums of dy * x * rstd over blocks of rows and over
// `heads` heads from `first` on. An invocation owns an element of a block.
layout(local_size_x_id = 0) in;

layout(push_constant) uniform Push {
  uint rows;
  uint NH;
  uint NKV;
  uint HS;
  uint first;
  uint heads;
  uint blocks;
  uint rows_per_block;
};
layout(set = 0, binding = 0, std430) readonly buffer Dout { ELEMENT dout[]; };         // (rows, NH + 2 NKV, HS)
layout(set = 0, binding = 1, std430) readonly buffer Qkv { ELEMENT qkv[]; };           // (rows, NH + 2 NKV, HS)
layout(set = 0, binding = 2, std430) readonly buffer Rstd { float rstd[]; };           // (rows, NH + NKV)
layout(set = 0, binding = 3, std430) writeonly buffer Partials { float partials[]; };  // (blocks, HS)

void main() {
  const uint column_groups = (HS + gl_WorkGroupSize.x - 1) / gl_WorkGroupSize.x;
  const uint block = grid_group() / column_groups;
  const uint i = grid_group() % column_groups * gl_WorkGroupSize.x + gl_LocalInvocationID.x;
  if (block >= blocks || i >= HS) return;

  const uint begin = block * rows_per_block;
  const uint end = min(rows, begin + rows_per_block);
  float sum = 0.0;
  for (uint row = begin; row < end; ++row) {
    for (uint head = first; head < first + heads; ++head) {
      const uint at = (row * (NH + 2 * NKV) + head) * HS + i;
      sum += from_element(dout[at]) * (from_element(qkv[at]) * rstd[row * (NH + NKV) + head]);
    }
  }
  partials[block * HS + i] = sum;
}
