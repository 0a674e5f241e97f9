#version 460
#extension GL_GOOGLE_include_directive : require

// softmax(q k^T / sqrt(HS)) v, causal, with the softmax taken online over tiles of keys (arXiv:2205.14135), on
// matrices of VK_NV_cooperative_matrix2.

#include "attention_nv.glsl"
#include "attention_keys.glsl"

shared uvec2 k_tile[TILE * ROW_WORDS];
shared uvec2 v_tile[TILE * ROW_WORDS];
#if !CACHED
shared float row_lse[OWN * COLUMNS];
#endif

float larger(const in float a, const in float b) { return max(a, b); }
float sum_of(const in float a, const in float b) { return a + b; }

// A score in units of log 2.
float scaled_score(const in uint row, const in uint column, const in float s) { return s * (SCALE * LOG2E); }
float masked_score(const in uint row, const in uint column, const in float s, const in uint first,
                   const in uint key) {
  return SEES(first + row, key + column) && key + column >= ROW_BEGIN(row) ? s * (SCALE * LOG2E) : MASKED;
}
float larger_element(const in uint row, const in uint column, const in float a, const in float b) {
  return max(a, b);
}
float power_of_2(const in uint row, const in uint column, const in float x) { return exp2(x); }
float inverse(const in uint row, const in uint column, const in float x) { return 1 / x; }
float log_sum(const in uint row, const in uint column, const in float sum) { return log2(sum); }

void main() {
  uint group = grid_group();
  if (group >= groups) return;
  uint head = group / blocks;  // of all sequences
  // The last block sees the most keys and goes first.
  uint first = (blocks - 1 - group % blocks) * OWN;
  uint b = head / NH, h = head % NH;
  uint row_stride = (NH + 2 * NKV) * HS;
  uint q_base = b * T * row_stride + h * HS;
  Keys keys = keys_of(b, h, first);

  OwnRows q;
  LOAD_OWN(q, k_tile, qkv4, q_base, row_stride, first)
  Results acc = Results(0);
  // Equal in all columns of a row.
  Scores row_max = Scores(MASKED);
  Scores row_sum = Scores(0);

  STAGE_LIMITS(begin_of, b, first)
  uvec2 whole = whole_keys(b, keys.position, OWN);
  for (uint key = keys.from; key < keys.end; key += TILE) {
    barrier();
    STAGE_ROWS(k_tile, 0, KEY_ROWS, keys.base, keys.stride, key, TILE, keys.count)
    STAGE_ROWS(v_tile, 0, VALUE_ROWS, keys.value_base, keys.stride, key, TILE, keys.count)
    barrier();
    Scores s;
    SCORES_OF(q, k_tile, s)
    if (IS_WHOLE(whole, key)) {
      coopMatPerElementNV(s, s, scaled_score);
    } else {
      coopMatPerElementNV(s, s, masked_score, keys.position, key);
    }
    Scores new_max;
    coopMatReduceNV(new_max, s, gl_CooperativeMatrixReduceRowNV, larger);
    coopMatPerElementNV(new_max, new_max, larger_element, row_max);
    Scores shrink = row_max - new_max;
    coopMatPerElementNV(shrink, shrink, power_of_2);
    row_max = new_max;
    Scores p = s - new_max;
    coopMatPerElementNV(p, p, power_of_2);
    Scores sum;
    coopMatReduceNV(sum, p, gl_CooperativeMatrixReduceRowNV, sum_of);
    row_sum = row_sum * shrink + sum;
    // The maximum of equal columns is that column, here broadcast to the width of the result.
    Results shrink_rows;
    coopMatReduceNV(shrink_rows, shrink, gl_CooperativeMatrixReduceRowNV, larger);
    acc = acc * shrink_rows;
    ADD_WEIGHTED(acc, Weights(p), v_tile)
  }

  Scores inverse_sum;
  coopMatPerElementNV(inverse_sum, row_sum, inverse);
  Results inverse_rows;
  coopMatReduceNV(inverse_rows, inverse_sum, gl_CooperativeMatrixReduceRowNV, larger);
  acc = acc * inverse_rows;
#if !CACHED
  coopMatPerElementNV(row_sum, row_sum, log_sum);
  Scores lse2 = row_max + row_sum;
  coopmat<float, SCOPE, OWN, COLUMNS, gl_MatrixUseAccumulator> lse_rows;
  coopMatReduceNV(lse_rows, lse2, gl_CooperativeMatrixReduceRowNV, larger);
  coopMatStore(lse_rows, row_lse, 0, COLUMNS, gl_CooperativeMatrixLayoutRowMajor);
#endif
  STORE_ROWS(acc, k_tile, result4, b * T * NH * HS + h * HS, NH * HS, first)
#if !CACHED
  for (uint row = gl_LocalInvocationIndex; row < OWN; row += LANES) {
    if (first + row < T) lse[head * T + first + row] = row_lse[row * COLUMNS] * LN2;
  }
#endif
}
