// C = op(A) op(B) by shared-memory tiles: a workgroup computes BM x BN elements, an invocation TM x TN of them. Shared
// memory is double-buffered: while one pair of panels of A and B is multiplied, the next is loaded into registers, then
// stored to the other buffer as fp32, with rows of A or columns of B contiguous. Design and figures:
// shaders/docs/matmul.md. The including file defines TRANSPOSITION; beside the macros of matmul.glsl the host
// (src/ops/matmul/matmul_simt.cpp) sets
//   BM, BN, BK  the tile; multiples of 4
//   TM, TN      an invocation's part: TM neighbouring rows, and TN columns in groups of 4
//   VECTOR      1: loads and stores four neighbours as one word; row lengths and offsets are multiples of 4
//   K_TAIL      1: K is not a multiple of BK

#extension GL_EXT_control_flow_attributes : require

#include "matmul_forms.glsl"

#define COLUMN_GROUPS (BN / TN)  // invocations side by side
#define LANES (BM / TM * COLUMN_GROUPS)

layout(local_size_x = LANES) in;

#define VALUES 4
#define F32_WORDS VECTOR
#define ELEMENT_WORDS VECTOR
#include "matmul_values.glsl"

// Four neighbours of A or B as they are loaded; with VECTOR they stay packed until they are stored to shared memory.
#if VECTOR
#define WORD ELEMENTS
#define LOAD_WORD(array, i, more) array[(i) / 4]
#define VALUE(word) unpack(word)
#define LAST_WORD(extent) ((extent) - 4)
#else
#define WORD vec4
#define LOAD_WORD LOAD
#define VALUE(word) (word)
#define LAST_WORD(extent) ((extent) - 1)
#endif

#include "matmul.glsl"

// B in blocks is decoded on its way into registers.
#ifdef BLOCKS
#define WORD_B vec4
#define LOAD_WORD_B(i, more) block_four((i) & ~3u)
#define VALUE_B(word) (word)
#else
#define WORD_B WORD
#define LOAD_WORD_B(i, more) LOAD_WORD(b, i, more)
#define VALUE_B(word) VALUE(word)
#endif

#include "matmul_epilogue.glsl"

#define UNROLL [[unroll]]

const uint kStripTiles = 8;    // see tile_of_group
const uint kStrideA = BM + 4;  // elements from k to k in shared memory, padded against bank conflicts of the stores
const uint kStrideB = BN + 4;
const uint kWordsA = BM * BK / 4 / LANES;
const uint kWordsB = BN * BK / 4 / LANES;

shared float a_panel[2 * BK * kStrideA];
shared float b_panel[2 * BK * kStrideB];

// A word of a panel holds four k of one row (a row of C for A, a column of C for B), or four rows of one k.
#define A_IS_ALONG_K (TRANSPOSITION != TRANSPOSITION_TN)
#define B_IS_ALONG_K (TRANSPOSITION == TRANSPOSITION_NT)

struct Place {
  uint row, k;  // in the panel
};
Place place(uint word, bool is_along_k, uint rows) {
  return is_along_k ? Place(word / (BK / 4), word % (BK / 4) * 4) : Place(word % (rows / 4) * 4, word / (rows / 4));
}

// The index of four neighbours in memory, clamped to those that exist, and how many of them follow the first.
struct At {
  uint index, more;
};
At at_place(Place p, uint k, uint row0, uint rows, uint ld, bool is_along_k) {
#if K_TAIL
  const uint at_k = min(k + p.k, is_along_k ? LAST_WORD(K) : K - 1);
#else
  const uint at_k = k + p.k;
#endif
  const uint row = min(row0 + p.row, is_along_k ? rows - 1 : LAST_WORD(rows));
  return is_along_k ? At(row * ld + at_k, K - 1 - at_k) : At(at_k * ld + row, rows - 1 - row);
}

// Zeros for what lies beyond K.
vec4 inside_k(vec4 v, Place p, uint k, bool is_along_k) {
  const uint first = k + p.k;
#if VECTOR
  return first < K ? v : vec4(0.0);
#else
  if (!is_along_k) return first < K ? v : vec4(0.0);
  return vec4(first < K ? v.x : 0.0, first + 1 < K ? v.y : 0.0, first + 2 < K ? v.z : 0.0, first + 3 < K ? v.w : 0.0);
#endif
}

#define FETCH(k)                                                                    \
  UNROLL for (uint l = 0; l < kWordsA; ++l) {                                       \
    const Place p = place(l * LANES + lane, A_IS_ALONG_K, BM);                      \
    const At at = at_place(p, k, m0, M, lda, A_IS_ALONG_K);                         \
    a_words[l] = LOAD_WORD(a, a_offset + at.index, at.more);                            \
  }                                                                                 \
  UNROLL for (uint l = 0; l < kWordsB; ++l) {                                       \
    const Place p = place(l * LANES + lane, B_IS_ALONG_K, BN);                      \
    const At at = at_place(p, k, n0, N, ldb, B_IS_ALONG_K);                         \
    b_words[l] = LOAD_WORD_B(b_offset + at.index, at.more);                         \
  }

#define PUT_WORD(panel, base, stride, p, is_along_k, v) \
  UNROLL for (uint e = 0; e < 4; ++e)                   \
      panel[(base) + (is_along_k ? (p.k + e) * stride + p.row : p.k * stride + p.row + e)] = v[e];

#define PUT(half, k)                                                                  \
  UNROLL for (uint l = 0; l < kWordsA; ++l) {                                         \
    const Place p = place(l * LANES + lane, A_IS_ALONG_K, BM);                        \
    const vec4 v = INSIDE_K(VALUE(a_words[l]), p, k, A_IS_ALONG_K);                   \
    ADD_ROW_SUMS(v)                                                                   \
    PUT_WORD(a_panel, (half) * BK * kStrideA, kStrideA, p, A_IS_ALONG_K, v)           \
  }                                                                                   \
  UNROLL for (uint l = 0; l < kWordsB; ++l) {                                         \
    const Place p = place(l * LANES + lane, B_IS_ALONG_K, BN);                        \
    const vec4 v = INSIDE_K(VALUE_B(b_words[l]), p, k, B_IS_ALONG_K);                 \
    PUT_WORD(b_panel, (half) * BK * kStrideB, kStrideB, p, B_IS_ALONG_K, v)           \
  }

#if K_TAIL
#define NEXT_PANEL(k) (k)
#define INSIDE_K(v, p, k, is_along_k) inside_k(v, p, k, is_along_k)
#else
#define NEXT_PANEL(k) min(k, K - BK)  // beyond the last one it is loaded again, and not used
#define INSIDE_K(v, p, k, is_along_k) v
#endif
#if ROW_SUMS
#define ADD_ROW_SUMS(v) if (next < K) a_sum += v;
#else
#define ADD_ROW_SUMS(v)
#endif

#if ROW_SUMS
// Every row's sums by invocation, in their order; the panels are no longer read.
void finish_row_sums(vec4 a_sum, uint m0) {
  const uint lane = gl_LocalInvocationIndex;
  UNROLL for (uint e = 0; e < 4; ++e) a_panel[lane / (BM / 4) * kStrideA + lane % (BM / 4) * 4 + e] = a_sum[e];
  barrier();
  for (uint m = lane; m < BM && m0 + m < M; m += LANES) {
    float sum = a_panel[m];
    for (uint s = 1; s < LANES / (BM / 4); ++s) sum += a_panel[s * kStrideA + m];
    finish_row_sum(m0 + m, sum);
  }
}
#endif

void main() {
  const uint lane = gl_LocalInvocationIndex;

  const uvec2 tile = tile_of_group(kStripTiles);
  const uint m0 = tile.y * BM;
  const uint n0 = tile.x * BN;
  const uint my_row = lane / COLUMN_GROUPS * TM;
  const uint my_column = lane % COLUMN_GROUPS * 4;

  float acc[TM][TN];
  UNROLL for (int i = 0; i < TM; ++i) UNROLL for (int j = 0; j < TN; ++j) acc[i][j] = 0.0;
  WORD a_words[kWordsA];
  WORD_B b_words[kWordsB];
  uint next = 0;
#if ROW_SUMS
  vec4 a_sum = vec4(0.0);  // all words of an invocation belong to the same four rows
#endif
  FETCH(0)
  PUT(0, 0)
  barrier();

  uint present = 0;  // the buffer that is multiplied
  for (uint k = 0; k < K; k += BK) {
    next = k + BK;
    FETCH(NEXT_PANEL(next))
    // A loop over a few k at a time: otherwise compilers hoist all loads of shared memory and spill.
    [[dont_unroll]] for (uint four = 0; four < BK; four += 4) {
      UNROLL for (uint u = 0; u < 4; ++u) {
        const uint a_at = (present * BK + four + u) * kStrideA + my_row;
        const uint b_at = (present * BK + four + u) * kStrideB + my_column;
        float x[TM];
        float y[TN];
        UNROLL for (uint i = 0; i < TM; ++i) x[i] = a_panel[a_at + i];
        UNROLL for (uint j = 0; j < TN; ++j) y[j] = b_panel[b_at + j / 4 * 4 * COLUMN_GROUPS + j % 4];
        UNROLL for (int i = 0; i < TM; ++i) {
          UNROLL for (int j = 0; j < TN; ++j) acc[i][j] = fma(x[i], y[j], acc[i][j]);
        }
      }
    }
    present = 1 - present;
    PUT(present, next)
    barrier();
  }

  UNROLL for (int i = 0; i < TM; ++i) {
    UNROLL for (int j = 0; j < TN; j += 4) {
      const uint m = m0 + my_row + i, n = n0 + my_column + j * COLUMN_GROUPS;
      if (m < M && n < N) {
        finish(m, n, vec4(acc[i][j], acc[i][j + 1], acc[i][j + 2], acc[i][j + 3]), load_bias(n));
      }
    }
  }

#if ROW_SUMS
  if (tile.x == 0) finish_row_sums(a_sum, m0);
#endif
}
