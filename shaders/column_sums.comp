#version 460
#extension GL_GOOGLE_include_directive : require
#include "grid.glsl"
#include "store_or_add.glsl"

// Second stage of sums over rows: those of the blocks into a, and where there are two SUMS into b; added or stored
// (ADDS). An invocation owns a column; gl_WorkGroupSize.y of them take every so many blocks, and the first adds what they
// found in order.
layout(local_size_x_id = 0, local_size_y_id = 1) in;

layout(push_constant) uniform Push {
  uint columns;
  uint blocks;
};
layout(set = 0, binding = 0, std430) readonly buffer Parts { float parts[]; };  // (blocks, SUMS, columns)
layout(set = 0, binding = 1, std430) buffer A { float a[]; };                   // (columns)
#if SUMS == 2
layout(set = 0, binding = 2, std430) buffer B { float b[]; };                   // (columns)
#endif

shared float found[gl_WorkGroupSize.x * gl_WorkGroupSize.y];

// The sum of a column over the blocks, for the first invocation of the column.
float sum_of_blocks(uint which, uint column) {
  float sum = 0.0;
  if (column < columns) {
    for (uint block = gl_LocalInvocationID.y; block < blocks; block += gl_WorkGroupSize.y) {
      sum += parts[(SUMS * block + which) * columns + column];
    }
  }
  if (gl_WorkGroupSize.y == 1) return sum;
  barrier();  // those of the other sum are being read
  found[gl_LocalInvocationIndex] = sum;
  barrier();
  for (uint part = 1; gl_LocalInvocationID.y == 0 && part < gl_WorkGroupSize.y; ++part) {
    sum += found[part * gl_WorkGroupSize.x + gl_LocalInvocationID.x];
  }
  return sum;
}

void main() {
  const uint column = grid_group() * gl_WorkGroupSize.x + gl_LocalInvocationID.x;
  const bool is_owner = column < columns && gl_LocalInvocationID.y == 0;
  const float sum_a = sum_of_blocks(0, column);
  if (is_owner) STORE_OR_ADD(a[column], sum_a);
#if SUMS == 2
  const float sum_b = sum_of_blocks(1, column);
  if (is_owner) STORE_OR_ADD(b[column], sum_b);
#endif
}
