// C = op(A) op(B) on subgroup-scope cooperative matrices (VK_KHR_cooperative_matrix): 16-bit operands, fp32
// accumulators. With DTYPE 0, where B is in blocks, A is rounded to f16 on its way into its panel. A workgroup of
// several subgroups computes a tile of C; panels of A and B are staged in shared memory, the next ones loaded while the
// present ones are multiplied. Accumulators leave through shared memory too, so that the epilogue need not know the
// layout of a matrix in its subgroup. Design and figures: shaders/docs/matmul.md. The including file defines
// TRANSPOSITION; beside the macros of matmul.glsl the host (src/ops/matmul/matmul_khr.cpp) sets
//   BM, BN, BK  the workgroup's tile of C, and the k extent of an iteration: multiples of 8
//   SM, SN      a subgroup's part of the tile
//   FRAGMENT_M, FRAGMENT_N, FRAGMENT_K  the shape of one matrix operation; divide SM, SN and BK
//   LANES       invocations of a subgroup, all active
//   BUFFERS     panels of each operand in shared memory: 2, or 1 where two do not fit
//   WIDE        1: row lengths and offsets are multiples of 8 elements
//   K_TAIL      1: K is not a multiple of BK
//   TRANSPOSES  1: panels are contiguous along K, transposed where memory is not; 0: panels are laid out as memory
//   NATIVE_ROUNDING  see matmul_values.glsl

#extension GL_EXT_control_flow_attributes : require
#extension GL_KHR_cooperative_matrix : require
#extension GL_KHR_memory_scope_semantics : require
#extension GL_KHR_shader_subgroup_basic : require
#if DTYPE != 2
#extension GL_EXT_shader_explicit_arithmetic_types_float16 : require
#define MATRIX_ELEMENT float16_t
#else
#extension GL_EXT_bfloat16 : require
#define MATRIX_ELEMENT bfloat16_t
#endif

#include "matmul_forms.glsl"

layout(local_size_x = (BM / SM) * (BN / SN) * LANES) in;
const uint kThreads = (BM / SM) * (BN / SN) * LANES;

// A and B in words of eight neighbours, of f32 in words of four.
#if WIDE && DTYPE != 0
#define OPERAND uvec4
#endif
#define VALUES 4
#define F32_WORDS WIDE
#define ELEMENT_WORDS WIDE
#include "matmul_values.glsl"

#include "matmul.glsl"

#include "matmul_epilogue.glsl"

// Two neighbours as operands.
#if DTYPE != 0
#define operand_pair(v) round_pair(v)
#elif NATIVE_ROUNDING
uint operand_pair(vec2 v) { return packFloat2x16(f16vec2(within_f16(v))); }
#else
uint operand_pair(vec2 v) { return to_pair_1(within_f16(v)); }
#endif

#define UNROLL [[unroll]]

#define A_BY_K (TRANSPOSITION == TRANSPOSITION_TN)
#define B_BY_K (TRANSPOSITION != TRANSPOSITION_NT)

// Panels are arrays of words of 16 bytes, or of the four elements that transposing yields.
#if TRANSPOSES && B_BY_K
#define PANEL uvec2
#define PUT_WORD(at, word)        \
  {                               \
    panels[at] = (word).xy;       \
    panels[(at) + 1] = (word).zw; \
  }
const uint kPanelElements = 4;
#else
#define PANEL uvec4
#define PUT_WORD(at, word) panels[at] = word;
const uint kPanelElements = 8;
#endif
const uint kSkew = 8;  // padding of a panel's rows in elements, against bank conflicts

const uint kFragmentRows = SM / FRAGMENT_M;
const uint kFragmentColumns = SN / FRAGMENT_N;
const uint kResultRow = SN + 4;                                       // f32 from row to row of a subgroup's results
const uint kResultSize = FRAGMENT_M * kResultRow / (kPanelElements / 2);  // one row of fragments
const uint kSubgroups = kThreads / LANES;

// Words of both panels together; matmul_panel.glsl defines each one's own.
const uint kPanelSize = ((A_BY_K && !(TRANSPOSES != 0) ? BK * (BM + kSkew) : BM * (BK + kSkew)) +
                         (B_BY_K && !(TRANSPOSES != 0) ? BK * (BN + kSkew) : BN * (BK + kSkew))) /
                        kPanelElements;
shared PANEL panels[max(BUFFERS * kPanelSize, kSubgroups * kResultSize)];

#define PANEL_NAME(x) a_##x
#define SOURCE a
#define TILE BM
#define EXTENT M
#define ROW_LENGTH lda
#define ORIGIN a_offset
#define BY_K A_BY_K
#if DTYPE == 0
#define PANEL_FLOATS
#endif
#define FIRST_THREAD 0
#include "matmul_panel.glsl"
#undef PANEL_FLOATS
#undef PANEL_NAME
#undef SOURCE
#undef TILE
#undef EXTENT
#undef ROW_LENGTH
#undef ORIGIN
#undef BY_K
#undef FIRST_THREAD

#define PANEL_NAME(x) b_##x
#define SOURCE b
#define TILE BN
#define EXTENT N
#define ROW_LENGTH ldb
#define ORIGIN b_offset
#define BY_K B_BY_K
#ifdef BLOCKS
#define PANEL_BLOCKS
#endif
#define FIRST_THREAD (kThreads / 2)  // threads that transposing A leaves idle begin with B
#include "matmul_panel.glsl"

#if A_BY_K && !TRANSPOSES
#define A_LAYOUT gl_CooperativeMatrixLayoutColumnMajor
#define A_AT(m, k) ((k) * a_kRow + (m))
#else
#define A_LAYOUT gl_CooperativeMatrixLayoutRowMajor
#define A_AT(m, k) ((m) * a_kRow + (k))
#endif
#if B_BY_K && !TRANSPOSES
#define B_LAYOUT gl_CooperativeMatrixLayoutRowMajor
#define B_AT(n, k) ((k) * b_kRow + (n))
#else
#define B_LAYOUT gl_CooperativeMatrixLayoutColumnMajor
#define B_AT(n, k) ((n) * b_kRow + (k))
#endif

#define SUMS coopmat<float, gl_ScopeSubgroup, FRAGMENT_M, FRAGMENT_N, gl_MatrixUseAccumulator>
#define OF_A coopmat<MATRIX_ELEMENT, gl_ScopeSubgroup, FRAGMENT_M, FRAGMENT_K, gl_MatrixUseA>
#define OF_B coopmat<MATRIX_ELEMENT, gl_ScopeSubgroup, FRAGMENT_K, FRAGMENT_N, gl_MatrixUseB>

const uint kStripTiles = 8;  // see tile_of_group

// Four f32 neighbours of the results in shared memory, from element `at`, a multiple of four.
vec4 result(uint at) {
#if TRANSPOSES && B_BY_K
  return uintBitsToFloat(uvec4(panels[at / 2], panels[at / 2 + 1]));
#else
  return uintBitsToFloat(panels[at / 4]);
#endif
}

#if ROW_SUMS
// Adds a subgroup's row sums to the rows from `first` on, or stores them. All subgroups store their matrices: under a
// condition llvmpipe stores only the first one of an array.
void finish_row_sums(SUMS a_sums[kFragmentRows], uint first, bool finishes) {
  const uint region = gl_SubgroupID * kResultSize;
  UNROLL for (uint i = 0; i < kFragmentRows; ++i) {
    coopMatStore(a_sums[i], panels, region, kResultRow / (kPanelElements / 2),
                 gl_CooperativeMatrixLayoutRowMajor);
    subgroupBarrier();
    for (uint row = gl_SubgroupInvocationID; row < FRAGMENT_M; row += LANES) {
      const uint m = first + i * FRAGMENT_M + row;
      if (finishes && m < M) finish_row_sum(m, result(region * (kPanelElements / 2) + row * kResultRow).x);
    }
    subgroupBarrier();
  }
}
#endif

void main() {
  const uvec2 tile = tile_of_group(kStripTiles);
  const uint m0 = tile.y * BM;
  const uint n0 = tile.x * BN;
  const uint m_part = gl_SubgroupID / (BN / SN) * SM;  // the subgroup's first row and column in the tile
  const uint n_part = gl_SubgroupID % (BN / SN) * SN;

  SUMS sums[kFragmentRows][kFragmentColumns];
  UNROLL for (uint i = 0; i < kFragmentRows; ++i) UNROLL for (uint j = 0; j < kFragmentColumns; ++j) sums[i][j] = SUMS(0.0);
#if ROW_SUMS
  // Row sums of A are its products with a B of ones.
  const bool sums_rows = tile.x == 0 && n_part == 0;
  const OF_B ones = OF_B(1.0);
  SUMS a_sums[kFragmentRows];
  UNROLL for (uint i = 0; i < kFragmentRows; ++i) a_sums[i] = SUMS(0.0);
#endif

  a_load(m0, 0);
  b_load(n0, 0);
  a_store(0);
  b_store(a_kSize);
  barrier();
  uint base = 0;
  for (uint k = 0; k < K; k += BK) {
    const bool has_next = k + BK < K;
    if (has_next) {
      a_load(m0, k + BK);
      b_load(n0, k + BK);
    }
    UNROLL for (uint kk = 0; kk < BK; kk += FRAGMENT_K) {
      OF_A fa[kFragmentRows];
      UNROLL for (uint i = 0; i < kFragmentRows; ++i) {
        coopMatLoad(fa[i], panels, base + A_AT(m_part + i * FRAGMENT_M, kk) / kPanelElements,
                    a_kRow / kPanelElements, A_LAYOUT);
      }
#if ROW_SUMS
      if (sums_rows) {
        UNROLL for (uint i = 0; i < kFragmentRows; ++i) a_sums[i] = coopMatMulAdd(fa[i], ones, a_sums[i]);
      }
#endif
      UNROLL for (uint j = 0; j < kFragmentColumns; ++j) {
        OF_B fb;
        coopMatLoad(fb, panels, base + a_kSize + B_AT(n_part + j * FRAGMENT_N, kk) / kPanelElements,
                    b_kRow / kPanelElements, B_LAYOUT);
        UNROLL for (uint i = 0; i < kFragmentRows; ++i) sums[i][j] = coopMatMulAdd(fa[i], fb, sums[i][j]);
      }
    }
#if BUFFERS == 2
    base = kPanelSize - base;
#else
    barrier();
#endif
    if (has_next) {
      a_store(base);
      b_store(base + a_kSize);
    }
    barrier();
  }

  // The subgroup's own part of the shared memory that held the panels.
  const uint region = gl_SubgroupID * kResultSize;
// A row of fragments leaves through shared memory. A macro, since compilers do not unroll a loop with an epilogue of
// GELU in it, and an array of matrices that is indexed by a variable lies in memory.
#define FINISH_FRAGMENTS(i)                                                                                      \
  UNROLL for (uint j = 0; j < kFragmentColumns; ++j) {                                                           \
    coopMatStore(sums[i][j], panels, region + j * FRAGMENT_N / (kPanelElements / 2),                             \
                 kResultRow / (kPanelElements / 2), gl_CooperativeMatrixLayoutRowMajor);                         \
  }                                                                                                              \
  subgroupBarrier();                                                                                             \
  for (uint four = gl_SubgroupInvocationID; four < FRAGMENT_M * SN / 4; four += LANES) {                         \
    const uint row = four / (SN / 4);                                                                            \
    const uint column = four % (SN / 4) * 4;                                                                     \
    const uint m = m0 + m_part + i * FRAGMENT_M + row;                                                           \
    const uint n = n0 + n_part + column;                                                                         \
    if (m < M && n < N) {                                                                                        \
      finish(m, n, result(region * (kPanelElements / 2) + row * kResultRow + column), load_bias(n));             \
    }                                                                                                            \
  }                                                                                                              \
  subgroupBarrier();
  FINISH_FRAGMENTS(0)
#if SM / FRAGMENT_M > 1
  FINISH_FRAGMENTS(1)
#endif
#if SM / FRAGMENT_M > 2
  FINISH_FRAGMENTS(2)
  FINISH_FRAGMENTS(3)
#endif
#if SM / FRAGMENT_M > 4
  FINISH_FRAGMENTS(4)
  FINISH_FRAGMENTS(5)
  FINISH_FRAGMENTS(6)
  FINISH_FRAGMENTS(7)
#endif
#if SM / FRAGMENT_M != 1 && SM / FRAGMENT_M != 2 && SM / FRAGMENT_M != 4 && SM / FRAGMENT_M != 8
#error "rows of fragments are finished one by one"
#endif
#if ROW_SUMS
  finish_row_sums(a_sums, m0 + m_part, sums_rows);
#endif
}
