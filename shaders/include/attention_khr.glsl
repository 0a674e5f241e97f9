// Shared by attention_forward_khr, attention_backward_dq_khr and attention_backward_dkv_khr: attention on the
// matrices of VK_KHR_cooperative_matrix, whose fragment layout only the driver knows (shaders/docs/attention.md).
//
// A workgroup owns OWN rows (queries, or keys in _dkv) of one head and walks over the rows of the other side in
// tiles of TILE rows, which it stages in shared memory. WAYS subgroups share FRAG_M of the owned rows: each
// makes a part of the columns of the scores and of the result. Steps that depend on the place of an element
// (masks, row maxima and sums, the rounding to an operand) run on scores in shared memory. Macros:
//   HS                      head size, a multiple of FRAG_K and of WAYS * FRAG_N
//   DTYPE                   1 f16 or 2 bf16: q, k, v, the output, their gradients and all operands
//   SUBGROUP                invocations of a subgroup
//   ROW_GROUPS, WAYS        subgroups in a workgroup: ROW_GROUPS * WAYS
//   FRAG_M, FRAG_N, FRAG_K  the device's matrix shape
//   TILE                    a multiple of WAYS * FRAG_N, of FRAG_K and of 4 * ROW_LANES
//   OWN_REGISTERS           1: owned operands stay in registers, 0: in shared memory
//   WINDOW                  1: query t sees the keys in (t - window, t] only
//   GROUPED                 1: _dkv sums over the query heads that share a key head
#extension GL_KHR_shader_subgroup_arithmetic : require
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_KHR_shader_subgroup_shuffle : require

#define LANES (SUBGROUP * ROW_GROUPS * WAYS)
#define OWN (ROW_GROUPS * FRAG_M)
// Where registers are few, a loop keeps the compiler from hoisting all loads.
#if OWN_REGISTERS
#define UNROLL_OWN [[unroll]]
#else
#define UNROLL_OWN [[dont_unroll]]
#endif
#define UNROLL_STAGING UNROLL_OWN
#include "attention_tiles.glsl"

#define ROW_LANES (SUBGROUP * WAYS / FRAG_M)  // invocations, neighbours of one subgroup, that share a row
#define COLUMNS (TILE / FRAG_N / WAYS)        // fragments of the scores that a subgroup makes
#define DIMS (HS / FRAG_N / WAYS)             // fragments of the result that a subgroup owns

#define Accumulator coopmat<float, gl_ScopeSubgroup, FRAG_M, FRAG_N, gl_MatrixUseAccumulator>
#define OperandA coopmat<OPERAND, gl_ScopeSubgroup, FRAG_M, FRAG_K, gl_MatrixUseA>
#define OperandB coopmat<OPERAND, gl_ScopeSubgroup, FRAG_K, FRAG_N, gl_MatrixUseB>

// Matrices in shared memory. Operands are contiguous along K, the summed dimension, in words of four, so that a
// fragment is loaded with wide loads; rows are padded to spread over the banks, and stay aligned to 16 bytes as
// cooperative matrices require.
#define TILE_WORDS ((TILE + 8) / 4)  // of a row of the transpose of a tile, and of the weights
#define SCORE_WORDS ((TILE + 4) / 4)
shared vec4 scores[OWN * SCORE_WORDS];
shared uvec2 weights[OWN * TILE_WORDS];  // the scores as operands: probabilities or their gradients

// Two neighbours of an operand. float16_t(x) has to round to nearest: probabilities that are cut off towards zero
// have an NMSE of about 2^-23.0, beyond the bound of 2^-23.2.
uint operand_pair(vec2 x) {
#if DTYPE == 2
  return to_pair(x);
#else
  return packFloat2x16(f16vec2(x));
#endif
}

uint lane_index() { return gl_SubgroupID * SUBGROUP + gl_SubgroupInvocationID; }
#define ROW_GROUP (gl_SubgroupID / WAYS)
#define WAY (gl_SubgroupID % WAYS)
// The group's row whose scores the invocation handles, and the first of its columns in each 4 * ROW_LANES.
#define OWN_ROW (lane_index() / ROW_LANES)
#define OWN_COLUMN (lane_index() % ROW_LANES * 4)

// A barrier between the invocations that share rows of scores.
void rows_barrier() {
#if WAYS == 1
  subgroupBarrier();
#else
  barrier();
#endif
}

float row_max_of(float x) {
  UNROLL for (uint step = 1; step < ROW_LANES; step *= 2) x = max(x, subgroupShuffleXor(x, step));
  return x;
}
// The sum over a row, with the same bits in each of its invocations.
float row_sum_of(float x) {
  UNROLL for (uint step = 1; step < ROW_LANES; step *= 2) x += subgroupShuffleXor(x, step);
  return x;
}

// The transpose of 4 x 4 elements.
void transpose4(inout uvec2 x[4]) {
  uvec4 low = uvec4(x[0].x, x[1].x, x[2].x, x[3].x), high = uvec4(x[0].y, x[1].y, x[2].y, x[3].y);
  x[0] = (low.xz & 0xffffu) | low.yw << 16;
  x[1] = low.xz >> 16 | (low.yw & 0xffff0000u);
  x[2] = (high.xz & 0xffffu) | high.yw << 16;
  x[3] = high.xz >> 16 | (high.yw & 0xffff0000u);
}

// A tile of TILE rows, clamped to those before `end`, transposed to HS rows of TILE_WORDS; `keep` may use the words x[4]
// of rows r to r + 3, column c.
#define STAGE_TRANSPOSED(target, source, base, stride, first, end, keep)                               \
  UNROLL_OWN for (uint start = 0; start < TILE / 4 * (HS / 4); start += LANES) {                       \
    uint item = start + lane_index();                                                                  \
    uint r = item % (TILE / 4) * 4;                                                                    \
    uint c = item / (TILE / 4);                                                                        \
    if (TILE / 4 * (HS / 4) % LANES == 0 || c < HS / 4) {                                              \
      uvec2 x[4];                                                                                      \
      UNROLL for (uint j = 0; j < 4; ++j) {                                                            \
        x[j] = source[((base) + min((first) + r + j, (end) - 1) * (stride)) / 4 + c];                  \
      }                                                                                                \
      keep;                                                                                            \
      transpose4(x);                                                                                   \
      UNROLL for (uint j = 0; j < 4; ++j) target[(4 * c + j) * TILE_WORDS + r / 4] = x[j];             \
    }                                                                                                  \
  }
#define KEEP_ROWS(target) UNROLL for (uint j = 0; j < 4; ++j) target[(r + j) * ROW_WORDS + c] = x[j]
#define KEEP_NONE

// Owned rows as operands: OWN_PARTS parts of OWN_PART rows pass through the array of a tile, or stay in one of
// their own.
#if OWN_REGISTERS
#define OWN_PART (OWN < TILE ? OWN : TILE)
#define LOAD_OWN(operands, array, source, base, stride, first)                                     \
  for (uint part = 0; part < OWN; part += OWN_PART) {                                              \
    barrier();                                                                                     \
    STAGE_ROWS(array, 0, source, base, stride, (first) + part, OWN_PART, T)                        \
    barrier();                                                                                     \
    uint own_row = ROW_GROUP * FRAG_M;                                                             \
    if (own_row >= part && own_row < part + OWN_PART) {                                            \
      UNROLL for (uint kk = 0; kk < HS / FRAG_K; ++kk) {                                           \
        coopMatLoad(operands[kk], array, (own_row - part) * ROW_WORDS + kk * (FRAG_K / 4),         \
                    ROW_WORDS, gl_CooperativeMatrixLayoutRowMajor);                                \
      }                                                                                            \
    }                                                                                              \
  }
#define OWN_OPERAND(operand, operands, array, kk) operand = operands[kk]
#else
#define OWN_OPERAND(operand, operands, array, kk)                                   \
  coopMatLoad(operand, array, ROW_GROUP * FRAG_M * ROW_WORDS + (kk) * (FRAG_K / 4), \
              ROW_WORDS, gl_CooperativeMatrixLayoutRowMajor)
#endif

// sums[j] += the owned rows' operands times column fragment j of the transpose of `tile`.
#define ADD_SCORES(sums, operands, own_array, tile)                                                        \
  UNROLL_OWN for (uint kk = 0; kk < HS / FRAG_K; ++kk) {                                                       \
    OperandA a;                                                                                            \
    OWN_OPERAND(a, operands, own_array, kk);                                                               \
    UNROLL for (uint j = 0; j < COLUMNS; ++j) {                                                            \
      OperandB b;                                                                                          \
      coopMatLoad(b, tile, (WAY * COLUMNS + j) * FRAG_N * ROW_WORDS + kk * (FRAG_K / 4), ROW_WORDS,        \
                  gl_CooperativeMatrixLayoutColumnMajor);                                                  \
      sums[j] = coopMatMulAdd(a, b, sums[j]);                                                              \
    }                                                                                                      \
  }

void store_scores(Accumulator sums[COLUMNS]) {
  UNROLL for (uint j = 0; j < COLUMNS; ++j) {
    coopMatStore(sums[j], scores, ROW_GROUP * FRAG_M * SCORE_WORDS + (WAY * COLUMNS + j) * (FRAG_N / 4),
                 SCORE_WORDS, gl_CooperativeMatrixLayoutRowMajor);
  }
}

// results[j] += weights times the rows of the tile whose transpose is `transposed`.
#define ADD_WEIGHTED(results, transposed)                                                                  \
  UNROLL_OWN for (uint kk = 0; kk < TILE / FRAG_K; ++kk) {                                                     \
    OperandA a;                                                                                            \
    coopMatLoad(a, weights, ROW_GROUP * FRAG_M * TILE_WORDS + kk * (FRAG_K / 4), TILE_WORDS,               \
                gl_CooperativeMatrixLayoutRowMajor);                                                       \
    UNROLL for (uint j = 0; j < DIMS; ++j) {                                                               \
      OperandB b;                                                                                          \
      coopMatLoad(b, transposed, (WAY * DIMS + j) * FRAG_N * TILE_WORDS + kk * (FRAG_K / 4), TILE_WORDS,   \
                  gl_CooperativeMatrixLayoutColumnMajor);                                                  \
      results[j] = coopMatMulAdd(a, b, results[j]);                                                        \
    }                                                                                                      \
  }

// Stores the scores as operands, 0 where the tile is not whole and the condition `sees` on `column` is false.
#define STORE_WEIGHTS(is_whole, sees)                                                                         \
  if (is_whole) {                                                                                             \
    STORE_SEEN(true)                                                                                          \
  } else {                                                                                                    \
    STORE_SEEN(sees)                                                                                          \
  }
#define STORE_SEEN(sees)                                                                                      \
  UNROLL for (uint c = OWN_COLUMN; c < TILE; c += 4 * ROW_LANES) {                                            \
    vec4 x = scores[OWN_ROW * SCORE_WORDS + c / 4];                                                           \
    UNROLL for (uint i = 0; i < 4; ++i) {                                                                     \
      uint column = c + i;                                                                                    \
      x[i] = (sees) ? x[i] : 0;                                                                               \
    }                                                                                                         \
    weights[OWN_ROW * TILE_WORDS + c / 4] = uvec2(operand_pair(x.xy), operand_pair(x.zw));                    \
  }

// Sums of q k^T - lse sqrt(HS) become probabilities, those of dout v^T - row_sum their gradients. Matrices of one
// type have their elements in the same places, so the layout need not be known. A probability is at most 1: the
// bound keeps rounding of huge scores from overflowing.
void differentiate(inout Accumulator s[COLUMNS], inout Accumulator dp[COLUMNS]) {
  UNROLL for (uint j = 0; j < COLUMNS; ++j) {
    UNROLL for (int i = 0; i < s[j].length(); ++i) s[j][i] = exp2(min(s[j][i] * (SCALE * LOG2E), 0));
    dp[j] = dp[j] * s[j];
  }
}

// Column fragments from `dim` on that are there. One bound: NVK's compiler unrolls no loop with two.
#if DIMS % COLUMNS == 0
#define STORED_COLUMNS(dim) COLUMNS
#else
#define STORED_COLUMNS(dim) min(COLUMNS, DIMS - (dim))
#endif

// Column fragments dim to dim + COLUMNS - 1 of STORE_ROWS. Constant bounds and a constant `dim`: where the loop is not
// unrolled, `results` is indexed by a variable and lies in memory.
#define STORE_PART(dim, results, target, base, stride, first, factor)                                      \
  {                                                                                                        \
    const uint width = STORED_COLUMNS(dim) * FRAG_N;                                                       \
    UNROLL for (uint j = 0; j < STORED_COLUMNS(dim); ++j) {                                                \
      coopMatStore(results[(dim) + j], scores,                                                             \
                   ROW_GROUP * FRAG_M * SCORE_WORDS + (WAY * COLUMNS + j) * (FRAG_N / 4), SCORE_WORDS,     \
                   gl_CooperativeMatrixLayoutRowMajor);                                                    \
    }                                                                                                      \
    subgroupBarrier();                                                                                     \
    UNROLL for (uint start = 0; start < FRAG_M * width / 4; start += SUBGROUP) {                           \
      uint item = start + gl_SubgroupInvocationID;                                                         \
      uint row = ROW_GROUP * FRAG_M + item / (width / 4);                                                  \
      uint column = item % (width / 4) * 4;                                                                \
      uint element = (base) + ((first) + row) * (stride) + (WAY * DIMS + (dim)) * FRAG_N + column;         \
      if (item < FRAG_M * width / 4 && (first) + row < T) {                                                \
        vec4 x = scores[row * SCORE_WORDS + (WAY * COLUMNS * FRAG_N + column) / 4] * factor(row);          \
        target[element / 4] = pack4_of(ROWS_DTYPE, x);                                                     \
      }                                                                                                    \
    }                                                                                                      \
    subgroupBarrier();                                                                                     \
  }
#define NO_PART(dim, results, target, base, stride, first, factor)
#if DIMS > 1 * COLUMNS
#define STORE_PART_1 STORE_PART
#else
#define STORE_PART_1 NO_PART
#endif
#if DIMS > 2 * COLUMNS
#define STORE_PART_2 STORE_PART
#else
#define STORE_PART_2 NO_PART
#endif
#if DIMS > 3 * COLUMNS
#define STORE_PART_3 STORE_PART
#else
#define STORE_PART_3 NO_PART
#endif
#if DIMS > 4 * COLUMNS
#define STORE_PART_4 STORE_PART
#else
#define STORE_PART_4 NO_PART
#endif
#if DIMS > 5 * COLUMNS
#define STORE_PART_5 STORE_PART
#else
#define STORE_PART_5 NO_PART
#endif
#if DIMS > 6 * COLUMNS
#define STORE_PART_6 STORE_PART
#else
#define STORE_PART_6 NO_PART
#endif
#if DIMS > 7 * COLUMNS
#define STORE_PART_7 STORE_PART
#else
#define STORE_PART_7 NO_PART
#endif
#if DIMS > 8 * COLUMNS
#define STORE_PART_8 STORE_PART
#else
#define STORE_PART_8 NO_PART
#endif
#if DIMS > 9 * COLUMNS
#define STORE_PART_9 STORE_PART
#else
#define STORE_PART_9 NO_PART
#endif
#if DIMS > 10 * COLUMNS
#define STORE_PART_10 STORE_PART
#else
#define STORE_PART_10 NO_PART
#endif
#if DIMS > 11 * COLUMNS
#define STORE_PART_11 STORE_PART
#else
#define STORE_PART_11 NO_PART
#endif
#if DIMS > 12 * COLUMNS
#define STORE_PART_12 STORE_PART
#else
#define STORE_PART_12 NO_PART
#endif
#if DIMS > 13 * COLUMNS
#define STORE_PART_13 STORE_PART
#else
#define STORE_PART_13 NO_PART
#endif
#if DIMS > 14 * COLUMNS
#define STORE_PART_14 STORE_PART
#else
#define STORE_PART_14 NO_PART
#endif
#if DIMS > 15 * COLUMNS
#define STORE_PART_15 STORE_PART
#else
#define STORE_PART_15 NO_PART
#endif

// Stores the rows of the results times factor(row) to `target`, staged through the scores, which are free by then:
// row r of the group, first + r of the sequence, is at element base + (first + r) * stride. Part by part, since NVK's
// compiler unrolls no loop of more than two of them; heads beyond sixteen parts are left to a loop.
#define STORE_ROWS(results, target, base, stride, first, factor)                   \
  barrier();                                                                       \
  STORE_PART(0, results, target, base, stride, first, factor)                      \
  STORE_PART_1(1 * COLUMNS, results, target, base, stride, first, factor)          \
  STORE_PART_2(2 * COLUMNS, results, target, base, stride, first, factor)          \
  STORE_PART_3(3 * COLUMNS, results, target, base, stride, first, factor)          \
  STORE_PART_4(4 * COLUMNS, results, target, base, stride, first, factor)          \
  STORE_PART_5(5 * COLUMNS, results, target, base, stride, first, factor)          \
  STORE_PART_6(6 * COLUMNS, results, target, base, stride, first, factor)          \
  STORE_PART_7(7 * COLUMNS, results, target, base, stride, first, factor)          \
  STORE_PART_8(8 * COLUMNS, results, target, base, stride, first, factor)          \
  STORE_PART_9(9 * COLUMNS, results, target, base, stride, first, factor)          \
  STORE_PART_10(10 * COLUMNS, results, target, base, stride, first, factor)        \
  STORE_PART_11(11 * COLUMNS, results, target, base, stride, first, factor)        \
  STORE_PART_12(12 * COLUMNS, results, target, base, stride, first, factor)        \
  STORE_PART_13(13 * COLUMNS, results, target, base, stride, first, factor)        \
  STORE_PART_14(14 * COLUMNS, results, target, base, stride, first, factor)        \
  STORE_PART_15(15 * COLUMNS, results, target, base, stride, first, factor)        \
  UNROLL for (uint dim = 16 * COLUMNS; dim < DIMS; dim += COLUMNS)                 \
    STORE_PART(dim, results, target, base, stride, first, factor)
