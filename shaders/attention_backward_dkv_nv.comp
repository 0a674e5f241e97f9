#version 460
#extension GL_GOOGLE_include_directive : require

// dk and dv of causal attention: p from the stored log-sum-exp, dv = p^T dout, ds = p (dp - row_sum),
// dk = ds^T q / sqrt(HS) (arXiv:2205.14135), on matrices of VK_NV_cooperative_matrix2. Scores are transposed, with
// a row a key. Each key belongs to one group, which walks over the query heads that share it (GROUPED) and over
// its queries in order.

#include "attention_nv.glsl"

layout(set = 0, binding = 0, std430) readonly buffer Dout { WORD4 dout4[]; };  // (B, T, NH, HS)
layout(set = 0, binding = 1, std430) readonly buffer Qkv { WORD4 qkv4[]; };    // (B, T, NH + 2 NKV, HS)
layout(set = 0, binding = 2, std430) readonly buffer Lse { float lse[]; };           // (B, NH, T)
layout(set = 0, binding = 3, std430) readonly buffer RowSums { float row_sums[]; };  // (B, NH, T)
layout(set = 0, binding = 4, std430) writeonly buffer Dqkv { WORD4 dqkv4[]; };       // (B, T, NH + 2 NKV, HS)

shared uvec2 q_tile[TILE * ROW_WORDS];
shared uvec2 dout_tile[TILE * ROW_WORDS];
shared float column_lse[TILE];  // in units of log 2
shared float column_sum[TILE];

// At most 1: the bound keeps rounding of huge scores from overflowing.
float probability(const in uint row, const in uint column, const in float s) {
  return exp2(min(s * (SCALE * LOG2E) - column_lse[column], 0));
}
float masked_probability(const in uint row, const in uint column, const in float s, const in uint first,
                         const in uint query) {
  return SEES(query + column, first + row) && query + column < ROW_END(row) ? probability(row, column, s) : 0;
}
float centered(const in uint row, const in uint column, const in float dp) { return dp - column_sum[column]; }

void main() {
  uint group = grid_group();
  if (group >= groups) return;
  uint kv_head = group / blocks % NKV;
  // The first block is seen by the most queries and goes first.
  uint first = group % blocks * OWN;
  uint b = group / blocks / NKV;
  uint row_stride = (NH + 2 * NKV) * HS;
  uint k_base = b * T * row_stride + (NH + kv_head) * HS;
  uint v_base = k_base + NKV * HS;

  OwnRows k;
  OwnRows v;
  LOAD_OWN(k, q_tile, qkv4, k_base, row_stride, first)
  LOAD_OWN(v, dout_tile, qkv4, v_base, row_stride, first)
  Results dk = Results(0);
  Results dv = Results(0);

  STAGE_LIMITS(end_of, b, first)
  uvec2 whole = whole_queries(b, first, OWN);
  uint end = min(END_OF_QUERIES(first), end_of(b, first + OWN - 1));
#if GROUPED
  uint heads_end = (kv_head + 1) * (NH / NKV);
  for (uint h = kv_head * (NH / NKV); h < heads_end; ++h)
#else
  uint h = kv_head;
#endif
  for (uint query = first; query < end; query += TILE) {
    uint head = b * NH + h;  // of all sequences
    barrier();
    STAGE_ROWS(q_tile, 0, qkv4, b * T * row_stride + h * HS, row_stride, query, TILE, T)
    STAGE_ROWS(dout_tile, 0, dout4, b * T * NH * HS + h * HS, NH * HS, query, TILE, T)
    for (uint column = gl_LocalInvocationIndex; column < TILE; column += LANES) {
      uint i = head * T + min(query + column, T - 1);
      column_lse[column] = lse[i] * LOG2E;
      column_sum[column] = row_sums[i];
    }
    barrier();
    Scores p;
    Scores dp;
    SCORES_OF(k, q_tile, p)
    SCORES_OF(v, dout_tile, dp)
    if (IS_WHOLE(whole, query)) {
      coopMatPerElementNV(p, p, probability);
    } else {
      coopMatPerElementNV(p, p, masked_probability, first, query);
    }
    coopMatPerElementNV(dp, dp, centered);
    Scores ds = p * dp;
    ADD_WEIGHTED(dv, Weights(p), dout_tile)
    ADD_WEIGHTED(dk, Weights(ds), q_tile)
  }
  dk = dk * SCALE;
  STORE_ROWS(dk, q_tile, dqkv4, k_base, row_stride, first)
  STORE_ROWS(dv, dout_tile, dqkv4, v_base, row_stride, first)
}
