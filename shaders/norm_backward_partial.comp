#version 460
#extension GL_GOOGLE_include_directive : require
#include "element.glsl"
#include "grid.glsl"

// First stage of dweight and dbias: sums of dy * xhat and of dy over blocks of rows. An invocation owns a
// column of a block. DWEIGHT and DBIAS, where defined, are the places of the two among the SUMS of a block.
layout(local_size_x_id = 0) in;

layout(push_constant) uniform Push {
  uint rows;
  uint C;
  uint blocks;
  uint rows_per_block;
};
layout(set = 0, binding = 0, std430) readonly buffer DY { ELEMENT dy[]; };              // (rows, C)
layout(set = 0, binding = 1, std430) readonly buffer X { ELEMENT x[]; };                // (rows, C)
layout(set = 0, binding = 2, std430) readonly buffer Rstd { float rstd[]; };            // (rows)
layout(set = 0, binding = 3, std430) writeonly buffer Partials { float partials[]; };  // (blocks, SUMS, C)
#ifndef RMS
layout(set = 0, binding = MEAN, std430) readonly buffer Mean { float mean[]; };  // (rows)
#endif

float centred(uint row, uint c) {
#ifdef RMS
  return from_element(x[row * C + c]);
#else
  return from_element(x[row * C + c]) - mean[row];
#endif
}

void main() {
  const uint column_groups = (C + gl_WorkGroupSize.x - 1) / gl_WorkGroupSize.x;
  const uint block = grid_group() / column_groups;
  const uint c = grid_group() % column_groups * gl_WorkGroupSize.x + gl_LocalInvocationID.x;
  if (block >= blocks || c >= C) return;

  const uint first = block * rows_per_block;
  const uint end = min(rows, first + rows_per_block);
  float dweight = 0.0;
  float dbias = 0.0;
  for (uint row = first; row < end; ++row) {
    const float d = from_element(dy[row * C + c]);
    dweight += d * (centred(row, c) * rstd[row]);
    dbias += d;
  }
#ifdef DWEIGHT
  partials[(SUMS * block + DWEIGHT) * C + c] = dweight;
#endif
#ifdef DBIAS
  partials[(SUMS * block + DBIAS) * C + c] = dbias;
#endif
}
