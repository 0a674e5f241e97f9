#version 460
#extension GL_GOOGLE_include_directive : require

// softmax(q k^T / sqrt(HS)) v, causal, with the softmax taken online over tiles of keys (arXiv:2205.14135), on
// matrices of VK_NV_cooperative_matrix2.

#include "attention_nv.glsl"

layout(set = 0, binding = 0, std430) readonly buffer Qkv { WORD4 qkv4[]; };      // (B, T, NH + 2 NKV, HS)
layout(set = 0, binding = 1, std430) writeonly buffer Out { WORD4 result4[]; };  // (B, T, NH, HS)
layout(set = 0, binding = 2, std430) writeonly buffer Lse { float lse[]; };      // (B, NH, T)

shared uvec2 k_tile[TILE * ROW_WORDS];
shared uvec2 v_tile[TILE * ROW_WORDS];
shared float row_lse[OWN * COLUMNS];

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
  uint k_base = b * T * row_stride + (NH + h / (NH / NKV)) * HS;

  OwnRows q;
  LOAD_OWN(q, k_tile, qkv4, q_base, row_stride, first)
  Results acc = Results(0);
  // Equal in all columns of a row.
  Scores row_max = Scores(MASKED);
  Scores row_sum = Scores(0);

  STAGE_LIMITS(begin_of, b, first)
  uvec2 whole = whole_keys(b, first, OWN);
  uint end = min(T, first + OWN);
  for (uint key = max(FIRST_KEY(first), begin_of(b, first) / TILE * TILE); key < end; key += TILE) {
    barrier();
    STAGE_ROWS(k_tile, 0, qkv4, k_base, row_stride, key, TILE)
    STAGE_ROWS(v_tile, 0, qkv4, k_base + NKV * HS, row_stride, key, TILE)
    barrier();
    Scores s;
    SCORES_OF(q, k_tile, s)
    if (IS_WHOLE(whole, key)) {
      coopMatPerElementNV(s, s, scaled_score);
    } else {
      coopMatPerElementNV(s, s, masked_score, first, key);
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
  coopMatPerElementNV(row_sum, row_sum, log_sum);
  Scores lse2 = row_max + row_sum;
  coopmat<float, SCOPE, OWN, COLUMNS, gl_MatrixUseAccumulator> lse_rows;
  coopMatReduceNV(lse_rows, lse2, gl_CooperativeMatrixReduceRowNV, larger);
  coopMatStore(lse_rows, row_lse, 0, COLUMNS, gl_CooperativeMatrixLayoutRowMajor);
  STORE_ROWS(acc, k_tile, result4, b * T * NH * HS + h * HS, NH * HS, first)
  for (uint row = gl_LocalInvocationIndex; row < OWN; row += LANES) {
    if (first + row < T) lse[head * T + first + row] = row_lse[row * COLUMNS] * LN2;
  }
}
