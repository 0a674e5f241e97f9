#version 460
#extension GL_GOOGLE_include_directive : require
#include "elementwise.glsl"
#include "store_or_add.glsl"

// The reduction of split-K: the sums of each part of K into dW, in their order, and likewise into dbias
// (src/ops/matmul/matmul_parts.hpp). The host sets WIDTH, the elements of a word (4, or 1 where row lengths are no
// multiple of 4), ROW_SUMS, and ADDS where the sums are added to what is there.

#if WIDTH == 4
#define FLOATS vec4
#else
#define FLOATS float
#endif

layout(set = 0, binding = 0, std430) readonly buffer Parts { FLOATS parts[]; };  // (splits, stride)
layout(set = 0, binding = 1, std430) buffer C { FLOATS c[]; };                   // (count)
#if ROW_SUMS
layout(set = 0, binding = 2, std430) readonly buffer RowParts { float row_parts[]; };  // (splits, row_stride)
layout(set = 0, binding = 3, std430) buffer RowSums { float row_sums[]; };             // (rows)
#endif
layout(push_constant) uniform Push {
  uint count;  // words
  uint splits;
  uint stride;
  uint rows;  // at most `count`
  uint row_stride;
};

void main() {
  ELEMENTWISE_LOOP(i, count) {
    FLOATS sum = parts[i];
    for (uint s = 1; s < splits; ++s) sum += parts[s * stride + i];
    STORE_OR_ADD(c[i], sum);
  }
#if ROW_SUMS
  ELEMENTWISE_LOOP(i, rows) {
    float sum = row_parts[i];
    for (uint s = 1; s < splits; ++s) sum += row_parts[s * row_stride + i];
    STORE_OR_ADD(row_sums[i], sum);
  }
#endif
}
