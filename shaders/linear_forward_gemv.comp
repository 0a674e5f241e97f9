#version 460
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#extension GL_KHR_shader_subgroup_arithmetic : require

// y = x W^T for a few rows of x, as matrix-vector products (ops/matmul/matmul.hpp). A subgroup takes ROWS rows of W,
// neighbouring lanes neighbouring words of K. Design and figures: shaders/docs/matmul.md. Beside the macros of
// matmul.glsl the host (src/ops/matmul/matmul_gemv.cpp) sets
//   TM     rows of x and y at a time; TM * ROWS is at most the subgroup size
//   ROWS   rows of W at a time
//   DEPTH  words of each row that a lane has in flight
//   WIDTH  elements of a word: 16 bytes, or one element

#define TRANSPOSITION TRANSPOSITION_NT
#include "matmul_forms.glsl"

#include "subgroup_rows.glsl"

#define VALUES 1
#define F32_WORDS 0
#define ELEMENT_WORDS 0
#include "matmul_values.glsl"

// A word of A or B in a buffer, and in registers.
#if WIDTH == 8
#define OPERAND uvec4
#define WORD uvec4
#define LOAD_WORD(array, i) array[i]
#elif WIDTH == 4
#define OPERAND vec4
#define WORD vec4
#define LOAD_WORD(array, i) array[i]
#else
#define WORD float
#define LOAD_WORD(array, i) from_element(array[i])
#endif
#include "matmul.glsl"

// A word of W, of as many elements; in blocks its quants and their scale.
#ifdef BLOCKS
#if WIDTH == 8
#define QUANTS EIGHT_QUANTS
#define LOAD_QUANTS eight_quants
#else
#define QUANTS FOUR_QUANTS
#define LOAD_QUANTS four_quants
#endif
struct Quantized {
  QUANTS quants;
  float scale;
};
#define WORD_B Quantized
Quantized load_word_b(uint i) {
  return Quantized(LOAD_QUANTS(i * WIDTH), block_scale(i * WIDTH));
}
#define LOAD_WORD_B(i) load_word_b(i)
#else
#define WORD_B WORD
#define LOAD_WORD_B(i) LOAD_WORD(b, i)
#endif

#include "matmul_epilogue.glsl"

#define UNROLL [[unroll]]

#if WIDTH == 8
float add_product(float sum, uvec4 x, uvec4 w) {
  UNROLL for (int i = 0; i < 4; ++i) {
    const vec2 xs = from_pair(x[i]), ws = from_pair(w[i]);
    sum = fma(xs.y, ws.y, fma(xs.x, ws.x, sum));
  }
  return sum;
}
#elif WIDTH == 4
float add_product(float sum, vec4 x, vec4 w) {
  UNROLL for (int i = 0; i < 4; ++i) sum = fma(x[i], w[i], sum);
  return sum;
}
#else
float add_product(float sum, float x, float w) { return fma(x, w, sum); }
#endif
#ifdef BLOCKS
float add_product(float sum, WORD x, Quantized w) {
#if WIDTH == 8
  const vec4 low = w.scale * low_levels(w.quants), high = w.scale * high_levels(w.quants);
  const vec4 low_x = vec4(from_pair(x[0]), from_pair(x[1])), high_x = vec4(from_pair(x[2]), from_pair(x[3]));
  UNROLL for (int i = 0; i < 4; ++i) sum = fma(low_x[i], low[i], sum);
  UNROLL for (int i = 0; i < 4; ++i) sum = fma(high_x[i], high[i], sum);
#else
  const vec4 ws = w.scale * four_levels(w.quants);
  UNROLL for (int i = 0; i < 4; ++i) sum = fma(x[i], ws[i], sum);
#endif
  return sum;
}
#endif

// Adds the products of `depth` words of x and W, from word `first` on. All loads of W are issued before the first is
// needed.
#define ADD_WORDS(depth)                                                                                          \
  {                                                                                                               \
    WORD_B ws[depth][ROWS];                                                                                       \
    UNROLL for (uint d = 0; d < depth; ++d) {                                                                     \
      UNROLL for (uint r = 0; r < ROWS; ++r) {                                                                    \
        ws[d][r] = LOAD_WORD_B(min(n0 + r, N - 1) * row_words + first + d * gl_SubgroupSize);                     \
      }                                                                                                           \
    }                                                                                                             \
    UNROLL for (uint d = 0; d < depth; ++d) {                                                                     \
      UNROLL for (uint m = 0; m < TM; ++m) {                                                                      \
        const WORD x = LOAD_WORD(a, min(m0 + m, M - 1) * row_words + first + d * gl_SubgroupSize);                \
        UNROLL for (uint r = 0; r < ROWS; ++r) acc[m][r] = add_product(acc[m][r], x, ws[d][r]);                   \
      }                                                                                                           \
    }                                                                                                             \
  }

void main() {
  const uint row_words = K / WIDTH;
  // Neighbours take the same rows of W, which are then in the cache.
  const uint m_blocks = (M + TM - 1) / TM;
  SUBGROUP_ROW_LOOP(row, (N + ROWS - 1) / ROWS * m_blocks) {
    const uint n0 = row / m_blocks * ROWS;
    const uint m0 = row % m_blocks * TM;
    float acc[TM][ROWS];
    UNROLL for (uint m = 0; m < TM; ++m) UNROLL for (uint r = 0; r < ROWS; ++r) acc[m][r] = 0.0;
    uint first = gl_SubgroupInvocationID;
    const uint rounds = row_words / (DEPTH * gl_SubgroupSize);
    for (uint round = 0; round < rounds; ++round) {
      ADD_WORDS(DEPTH)
      first += DEPTH * gl_SubgroupSize;
    }
    for (; first < row_words; first += gl_SubgroupSize) ADD_WORDS(1)

    // Every lane gets all sums, and finishes one of them.
    float mine = 0.0;
    UNROLL for (uint m = 0; m < TM; ++m) {
      UNROLL for (uint r = 0; r < ROWS; ++r) {
        const float sum = subgroupAdd(acc[m][r]);
        if (gl_SubgroupInvocationID == m * ROWS + r) mine = sum;
      }
    }
    const uint n = n0 + gl_SubgroupInvocationID % ROWS;
    const uint own_m = m0 + gl_SubgroupInvocationID / ROWS;
    if (gl_SubgroupInvocationID < TM * ROWS && n < N && own_m < M) {
      finish(own_m, n, mine, load_bias(n));
    }
  }
}
