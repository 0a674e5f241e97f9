#version 460
#extension GL_GOOGLE_include_directive : require
#include "element.glsl"
#include "column_sums.glsl"

// First stage of dweight and dbias: sums of dy * xhat and of dy over blocks of rows. DWEIGHT and DBIAS, where
// defined, are the places of the two among the SUMS of a block.
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
  const ColumnPart part = column_part(rows, C, blocks, rows_per_block);
  if (!part.is_inside) return;
  float dweight = 0.0;
  float dbias = 0.0;
  for (uint row = part.first; row < part.end; ++row) {
    const float d = from_element(dy[row * C + part.column]);
    dweight += d * (centred(row, part.column) * rstd[row]);
    dbias += d;
  }
#ifdef DWEIGHT
  partials[(SUMS * part.block + DWEIGHT) * C + part.column] = dweight;
#endif
#ifdef DBIAS
  partials[(SUMS * part.block + DBIAS) * C + part.column] = dbias;
#endif
}
