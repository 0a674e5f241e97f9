// Shared by every backend of the matmul ops: operands, variants and tiles of C = op(A) op(B). The including file
// defines TRANSPOSITION (matmul_forms.glsl) and, where A and B are not loaded in the words of `pre`, OPERAND, the type
// of their words; matmul_values.glsl has the words of the other buffers. The host
// (src/ops/matmul/matmul_product.cpp) sets
//   DTYPE       element type of A, B and pre (element.glsl); accumulators are always fp32
//   C_DTYPE     element type of C: DTYPE, or f32
//   PARTIAL     partial sums to continue: 0 none, 1 those in C, 2 those in `partials`
//   BIAS        1: adds bias[n]
//   EPILOGUE    applied to a finished element (matmul_forms.glsl)
//   ACCUMULATE  1: adds the old C, after the epilogue
//   ROW_SUMS    (TN only) 1: also row_sums[m] += sum over k of A[k, m]; 2: stores that sum
//   BLOCKS      (not TN) where defined, B is in blocks of that type (blocks.glsl), and SCALES is the binding of the scales,
//               if it has some
//   BY_ADDRESS  where defined, A and B, of f32, are read by address
//   SPLITS      (NN and TN) where defined, K is computed in parts side by side, one for each gl_WorkGroupID.z, whose sums
//               are stored apart from each other

#ifndef OPERAND
#define OPERAND ELEMENTS
#endif
#if C_DTYPE == 0
#define RESULT FLOATS
#else
#define RESULT ELEMENTS
#endif

layout(set = 0, binding = 0, std430) readonly buffer A { OPERAND a[]; };
#ifdef BLOCKS
#ifdef BLOCK_WORDS64
layout(set = 0, binding = 1, std430) readonly buffer B { uint64_t b[]; };
#define BLOCK_WORD(i) unpackUint2x32(b[(i) / 2])[(i) % 2]
#define BLOCK_TWO_WORDS(i) unpackUint2x32(b[(i) / 2])
#else
layout(set = 0, binding = 1, std430) readonly buffer B { uint b[]; };
#define BLOCK_WORD(i) b[i]
#define BLOCK_TWO_WORDS(i) uvec2(b[i], b[(i) + 1])
#endif
#ifdef SCALES
layout(set = 0, binding = SCALES, std430) readonly buffer Scales { uint b_scales[]; };
#endif
#define BLOCK_SCALES b_scales
#include "blocks.glsl"
#else
layout(set = 0, binding = 1, std430) readonly buffer B { OPERAND b[]; };
#endif
layout(set = 0, binding = 2, std430) buffer C { RESULT c[]; };  // (M, N)
#if BIAS
layout(set = 0, binding = 3, std430) readonly buffer Bias { FLOATS bias[]; };  // (N)
#endif
#if EPILOGUE == EPILOGUE_GELU
layout(set = 0, binding = 3 + BIAS, std430) writeonly buffer Pre { ELEMENTS pre[]; };  // (M, N)
#elif EPILOGUE == EPILOGUE_GELU_GRAD
layout(set = 0, binding = 3 + BIAS, std430) readonly buffer Pre { ELEMENTS pre[]; };  // (M, N)
#elif ROW_SUMS
layout(set = 0, binding = 3 + BIAS, std430) buffer RowSums { float row_sums[]; };  // (M)
#endif
#if PARTIAL == 2
#define BEFORE_PARTIALS (3 + BIAS + (EPILOGUE == EPILOGUE_NONE ? 0 : 1))
layout(set = 0, binding = BEFORE_PARTIALS, std430) readonly buffer Partials { FLOATS partials[]; };  // (M, N)
#endif

#ifdef BY_ADDRESS
#include "by_address.glsl"
#endif

layout(push_constant) uniform Push {
  uint M;
  uint N;
#ifdef SPLITS
  uint part_k;  // k of a part, but for the last
#else
  uint K;
#endif
  uint lda;  // elements from row to row
  uint ldb;
  uint ldc;
#ifdef SPLITS
  uint first_a;
  uint first_c;
  uint all_k;
  uint part_rows;  // of C, from part to part
#else
  uint a_offset;  // first element of A in its binding
  uint c_offset;  // first element of C, and of pre and partials, in theirs
#endif
#ifdef BY_ADDRESS
  uint64_t a_address;  // of the bindings
  uint64_t b_address;
#endif
};

#ifdef SPLITS
#define FIRST_K (gl_WorkGroupID.z * part_k)
#define K min(part_k, all_k - FIRST_K)
#if TRANSPOSITION == TRANSPOSITION_TN
#define a_offset (first_a + FIRST_K * lda)
#else
#define a_offset (first_a + FIRST_K)
#endif
#define b_offset (FIRST_K * ldb)
#define c_offset (first_c + gl_WorkGroupID.z * part_rows * ldc)
#define FIRST_ROW_SUM (gl_WorkGroupID.z * part_rows)
#else
#define b_offset 0
#define FIRST_ROW_SUM 0
#endif

// Column and row of tiles of C that this workgroup computes: strips of `strip_rows` rows of tiles one after the
// other, each column by column, so that B is read from the cache.
uvec2 tile_of_group(uint strip_rows) {
  const uint group = gl_WorkGroupID.y * gl_NumWorkGroups.x + gl_WorkGroupID.x;
  const uint strip = group / (strip_rows * gl_NumWorkGroups.x);
  const uint in_strip = group - strip * strip_rows * gl_NumWorkGroups.x;
  const uint rows = min(strip_rows, gl_NumWorkGroups.y - strip * strip_rows);
  const uint column = in_strip / rows;
  return uvec2(column, strip * strip_rows + in_strip - column * rows);
}
