// C = op(A) op(B) on VK_NV_cooperative_matrix2: 16-bit operands, fp32 accumulators. The tile of each operand is one
// matrix, which the driver stages and distributes. Design and figures: shaders/docs/matmul.md. The including file defines
// TRANSPOSITION; beside the macros of matmul.glsl the host (src/ops/matmul/matmul_nv.cpp) sets
//   BM, BN, BK    the tile of C, and the k extent of an iteration
//   INVOCATIONS   workgroup size
//   WORKGROUP     1: workgroup-scope matrices, moved by tensor addressing, which loads zeros outside of a tensor and
//                 stores nothing there; 0: subgroup-scope matrices, one subgroup a workgroup, moved element by element
//   GRANULARITY_N the fewest columns of a matrix
//   WIDE          1: row lengths and offsets are multiples of 8 elements
//   TAILS         1: some tile reaches beyond C or K

#extension GL_EXT_control_flow_attributes : require
#extension GL_KHR_cooperative_matrix : require
#extension GL_KHR_memory_scope_semantics : require
#extension GL_NV_cooperative_matrix2 : require
#extension GL_EXT_shader_explicit_arithmetic_types : require
#if DTYPE == 1
#define MATRIX_ELEMENT float16_t
#define from_bits(bits) uint16BitsToHalf(bits)
#else
#extension GL_EXT_bfloat16 : require
#define MATRIX_ELEMENT bfloat16_t
#define from_bits(bits) uintBitsToBFloat16EXT(bits)
#endif

#include "matmul_forms.glsl"

layout(local_size_x = INVOCATIONS) in;

#define VALUES 1
#define F32_WORDS 0
#define ELEMENT_WORDS 0
#include "matmul_values.glsl"

#include "matmul.glsl"

#include "matmul_epilogue.glsl"

#define A_BY_K (TRANSPOSITION == TRANSPOSITION_TN)
#define B_BY_K (TRANSPOSITION != TRANSPOSITION_NT)

#if WORKGROUP
#define SCOPE gl_ScopeWorkgroup
#else
#define SCOPE gl_ScopeSubgroup
#endif
#define SUMS coopmat<float, SCOPE, BM, BN, gl_MatrixUseAccumulator>
#define ROUNDED coopmat<MATRIX_ELEMENT, SCOPE, BM, BN, gl_MatrixUseAccumulator>
#define OF_A coopmat<MATRIX_ELEMENT, SCOPE, BM, BK, gl_MatrixUseA>
#define OF_B coopmat<MATRIX_ELEMENT, SCOPE, BK, BN, gl_MatrixUseB>
#define ROW_OF_SUMS coopmat<float, SCOPE, BM, GRANULARITY_N, gl_MatrixUseAccumulator>
#define ONES coopmat<MATRIX_ELEMENT, SCOPE, BK, GRANULARITY_N, gl_MatrixUseB>

const uint kStripTiles = 8;  // see tile_of_group

// With WIDE, rows start on 16 bytes, which this tells the compiler.
#if WIDE
#define ALIGNED(x) ((x) & ~7u)
#else
#define ALIGNED(x) (x)
#endif

bool is_inside(uint m, uint n) {
#if TAILS
  return m < M && n < N;
#else
  return true;
#endif
}

// The functions below are called for each element of a tile, with its row and column in the tile.

#if WORKGROUP
// Layouts of a matrix: WHOLE of a tile that lies inside, EDGE of one that reaches beyond it.
#define WHOLE tensorLayoutNV<2, gl_CooperativeMatrixClampModeUndefinedNV>
WHOLE whole_of(uint rows, uint columns, uint row_length) {
  WHOLE l = createTensorLayoutNV(2, gl_CooperativeMatrixClampModeUndefinedNV);
  l = setTensorLayoutDimensionNV(l, rows, columns);
  return setTensorLayoutStrideNV(l, ALIGNED(row_length), 1);
}
#define EDGE tensorLayoutNV<2, gl_CooperativeMatrixClampModeConstantNV>
EDGE edge_of(uint rows, uint columns, uint row_length) {
  EDGE l = createTensorLayoutNV(2, gl_CooperativeMatrixClampModeConstantNV);
  l = setTensorLayoutDimensionNV(l, rows, columns);
  return setTensorLayoutStrideNV(l, ALIGNED(row_length), 1);
}

#if A_BY_K
#define OF_A_IN(layout_in) layout_in(K, M, lda)
#define LOAD_A(m, from, k) \
  coopMatLoadTensorNV(m, a, ALIGNED(a_offset), sliceTensorLayoutNV(from, k, BK, m0, BM), transposed)
#else
#define OF_A_IN(layout_in) layout_in(M, K, lda)
#define LOAD_A(m, from, k) coopMatLoadTensorNV(m, a, ALIGNED(a_offset), sliceTensorLayoutNV(from, m0, BM, k, BK))
#endif
#if B_BY_K
#define OF_B_IN(layout_in) layout_in(K, N, ldb)
#define LOAD_B(m, from, k) coopMatLoadTensorNV(m, b, ALIGNED(b_offset), sliceTensorLayoutNV(from, k, BK, n0, BN))
#else
#define OF_B_IN(layout_in) layout_in(N, K, ldb)
#define LOAD_B(m, from, k) \
  coopMatLoadTensorNV(m, b, ALIGNED(b_offset), sliceTensorLayoutNV(from, n0, BN, k, BK), transposed)
#endif
#else
#define LOAD_A(m, from, k) coopMatPerElementNV(m, m, a_element, m0, k)
#define LOAD_B(m, from, k) coopMatPerElementNV(m, m, b_element, k, n0)
MATRIX_ELEMENT a_element(const in uint row, const in uint column, const in MATRIX_ELEMENT, const in uint m0,
                         const in uint k0) {
  const uint m = min(m0 + row, M - 1), k = k0 + column;
#if A_BY_K
  const uint at = min(k, K - 1) * lda + m;
#else
  const uint at = m * lda + min(k, K - 1);
#endif
  return from_bits(k < K ? a[a_offset + at] : uint16_t(0));
}
MATRIX_ELEMENT b_element(const in uint row, const in uint column, const in MATRIX_ELEMENT, const in uint k0,
                         const in uint n0) {
  const uint n = min(n0 + column, N - 1), k = k0 + row;
#if B_BY_K
  const uint at = min(k, K - 1) * ldb + n;
#else
  const uint at = n * ldb + min(k, K - 1);
#endif
  return from_bits(k < K ? b[b_offset + at] : uint16_t(0));
}
#endif

// Defines a per-element function that applies a step of the epilogue.
#define EPILOGUE_STEP(name, step)                                                                             \
  float name(const in uint row, const in uint column, const in float x, const in uint m0, const in uint n0) { \
    const uint n = n0 + column, at = c_offset + (m0 + row) * ldc + n;                                         \
    float v = x;                                                                                              \
    if (is_inside(m0 + row, n)) step;                                                                         \
    return v;                                                                                                 \
  }
#if PARTIAL || BIAS
EPILOGUE_STEP(sum_element, v = complete_sum(load_partial(at, n), v, load_bias(n)))
#endif
#if EPILOGUE == EPILOGUE_GELU && !WORKGROUP
EPILOGUE_STEP(pre_element, v = store_pre(at, n, v))
#endif
#if EPILOGUE != EPILOGUE_NONE || ACCUMULATE
EPILOGUE_STEP(activated_element, v = activate(load_pre(at, n), load_old(at, n), v))
#endif
#if !WORKGROUP
EPILOGUE_STEP(c_element, store_c(at, n, v))
#endif

#if ROW_SUMS == 1
float row_sum_element(const in uint row, const in uint column, const in float v, const in uint m0) {
  return column == 0 && m0 + row < M ? complete_row_sum(m0 + row, v) : v;
}
#endif
#if ROW_SUMS
float row_sum_store(const in uint row, const in uint column, const in float v, const in uint m0) {
  if (column == 0 && m0 + row < M) row_sums[FIRST_ROW_SUM + m0 + row] = v;
  return v;
}
#endif

void main() {
  const uvec2 tile = tile_of_group(kStripTiles);
  const uint m0 = tile.y * BM;
  const uint n0 = tile.x * BN;

#if WORKGROUP
  const tensorViewNV<2, false, 1, 0> transposed = createTensorViewNV(2, false, 1, 0);
  const WHOLE a_whole = OF_A_IN(whole_of), b_whole = OF_B_IN(whole_of);
#if TAILS
  const EDGE a_edge = OF_A_IN(edge_of), b_edge = OF_B_IN(edge_of);
#endif
#endif

  SUMS sums = SUMS(0.0);
#if ROW_SUMS
  const bool sums_rows = tile.x == 0;
  ROW_OF_SUMS a_sums = ROW_OF_SUMS(0.0);  // of the same products, with a B of ones
#define ADD_ROWS(ma) \
  if (sums_rows) a_sums = coopMatMulAdd(ma, ONES(1.0), a_sums)
#else
#define ADD_ROWS(ma)
#endif
// The products of BK k. Loads write every element of their matrix, which therefore begins undefined.
#define MULTIPLY(k, a_from, b_from)      \
  {                                      \
    OF_A ma;                             \
    OF_B mb;                             \
    LOAD_A(ma, a_from, k);               \
    LOAD_B(mb, b_from, k);               \
    sums = coopMatMulAdd(ma, mb, sums);  \
    ADD_ROWS(ma);                        \
  }
#if TAILS
  const uint whole_k = m0 + BM <= M && n0 + BN <= N ? K / BK * BK : 0;
#else
  const uint whole_k = K;
#endif
  uint k = 0;
  // Written out in twos: the loads of the second are under way while the first are multiplied.
  [[dont_unroll]] for (; k + 2 * BK <= whole_k; k += 2 * BK) {
    MULTIPLY(k, a_whole, b_whole)
    MULTIPLY(k + BK, a_whole, b_whole)
  }
  if (k < whole_k) {
    MULTIPLY(k, a_whole, b_whole)
    k += BK;
  }
#if TAILS
  [[dont_unroll]] for (; k < K; k += BK) MULTIPLY(k, a_edge, b_edge)
#endif

#if PARTIAL || BIAS
  coopMatPerElementNV(sums, sums, sum_element, m0, n0);
#endif
#if WORKGROUP
#if TAILS
#define C_LAYOUT sliceTensorLayoutNV(edge_of(M, N, ldc), m0, BM, n0, BN)
#else
#define C_LAYOUT sliceTensorLayoutNV(whole_of(M, N, ldc), m0, BM, n0, BN)
#endif
#endif
#if EPILOGUE == EPILOGUE_GELU
  // GELU of the values as pre holds them, so that the GELU of pre has the same bits.
#if WORKGROUP
  const ROUNDED rounded = ROUNDED(sums);
  coopMatStoreTensorNV(rounded, pre, ALIGNED(c_offset), C_LAYOUT);
  sums = SUMS(rounded);
#else
  coopMatPerElementNV(sums, sums, pre_element, m0, n0);
#endif
#endif
#if EPILOGUE != EPILOGUE_NONE || ACCUMULATE
  coopMatPerElementNV(sums, sums, activated_element, m0, n0);
#endif
#if ROW_SUMS == 1
  if (sums_rows) coopMatPerElementNV(a_sums, a_sums, row_sum_element, m0);
#endif
#if PARTIAL == 1 || ACCUMULATE || ROW_SUMS == 1
  // Any invocation may have read an element, more than once, that another one stores below.
  memoryBarrierBuffer();
  barrier();
#endif
#if WORKGROUP && C_DTYPE == 0
  coopMatStoreTensorNV(sums, c, ALIGNED(c_offset), C_LAYOUT);
#elif WORKGROUP
  coopMatStoreTensorNV(ROUNDED(sums), c, ALIGNED(c_offset), C_LAYOUT);
#else
  coopMatPerElementNV(sums, sums, c_element, m0, n0);
#endif
#if ROW_SUMS
  if (sums_rows) coopMatPerElementNV(a_sums, a_sums, row_sum_store, m0);
#endif
}
