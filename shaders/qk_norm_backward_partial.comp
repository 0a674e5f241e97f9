#version 460
#extension GL_GOOGLE_include_directive : require
#include "element.glsl"
#include "column_sums.glsl"

// First stage of the gradient of q_weight or k_weight: sums of dy * x * rstd over blocks of rows and over
// `heads` heads from `first` on.
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
  const ColumnPart part = column_part(rows, HS, blocks, rows_per_block);
  if (!part.is_inside) return;
  float sum = 0.0;
  for (uint row = part.first; row < part.end; ++row) {
    for (uint head = first; head < first + heads; ++head) {
      const uint at = (row * (NH + 2 * NKV) + head) * HS + part.column;
      sum += from_element(dout[at]) * (from_element(qkv[at]) * rstd[row * (NH + NKV) + head]);
    }
  }
  partials[part.block * HS + part.column] = sum;
}
