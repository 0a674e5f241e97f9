#version 460
#extension GL_GOOGLE_include_directive : require

// dk and dv of causal attention: p from the stored log-sum-exp, dv = p^T dout, ds = p (dp - row_sum),
// dk = ds^T q / sqrt(HS) (arXiv:2205.14135), on cooperative matrices. Scores are transposed, with a row a key.
// Each key belongs to one group, which walks over the query heads that share it (GROUPED) and over its queries
// in order.

#include "attention_khr.glsl"

layout(set = 0, binding = 0, std430) readonly buffer Dout { WORD4 dout4[]; };  // (B, T, NH, HS)
layout(set = 0, binding = 1, std430) readonly buffer Qkv { WORD4 qkv4[]; };    // (B, T, NH + 2 NKV, HS)
layout(set = 0, binding = 2, std430) readonly buffer Lse { float lse[]; };           // (B, NH, T)
layout(set = 0, binding = 3, std430) readonly buffer RowSums { float row_sums[]; };  // (B, NH, T)
layout(set = 0, binding = 4, std430) writeonly buffer Dqkv { WORD4 dqkv4[]; };       // (B, T, NH + 2 NKV, HS)

shared uvec2 q_tile[TILE * ROW_WORDS];
shared uvec2 dout_tile[TILE * ROW_WORDS];
shared uvec2 q_transposed[HS * TILE_WORDS];
shared uvec2 dout_transposed[HS * TILE_WORDS];
// Initial values of the sums, equal in all rows.
#define FIRST_ROW (TILE + 4)
shared float first_s[FRAG_M * FIRST_ROW];
shared float first_dp[FRAG_M * FIRST_ROW];
#if !OWN_REGISTERS
shared uvec2 own_k[OWN * ROW_WORDS];
shared uvec2 own_v[OWN * ROW_WORDS];
#endif

float scale_of(uint row) { return SCALE; }
float unscaled(uint row) { return 1; }

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
  uint key = first + OWN_ROW, key_end = end_of(b, key);
  uvec2 whole = whole_queries(b, first, OWN);

#if OWN_REGISTERS
  OperandA k[HS / FRAG_K];
  OperandA v[HS / FRAG_K];
  LOAD_OWN(k, q_tile, qkv4, k_base, row_stride, first)
  LOAD_OWN(v, dout_tile, qkv4, v_base, row_stride, first)
#else
  STAGE_ROWS(own_k, 0, qkv4, k_base, row_stride, first, OWN, T)
  STAGE_ROWS(own_v, 0, qkv4, v_base, row_stride, first, OWN, T)
#endif
  Accumulator dk[DIMS];
  Accumulator dv[DIMS];
  UNROLL for (uint j = 0; j < DIMS; ++j) dk[j] = dv[j] = Accumulator(0);

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
    STAGE_TRANSPOSED(q_transposed, qkv4, b * T * row_stride + h * HS, row_stride, query, T, KEEP_ROWS(q_tile))
    STAGE_TRANSPOSED(dout_transposed, dout4, b * T * NH * HS + h * HS, NH * HS, query, T, KEEP_ROWS(dout_tile))
    UNROLL for (uint item = lane_index(); item < FRAG_M * TILE; item += LANES) {
      uint row = head * T + min(query + item % TILE, T - 1);
      uint to = item / TILE * FIRST_ROW + item % TILE;
      first_s[to] = -lse[row] / SCALE;
      first_dp[to] = -row_sums[row];
    }
    barrier();
    Accumulator s[COLUMNS];
    Accumulator dp[COLUMNS];
    UNROLL for (uint j = 0; j < COLUMNS; ++j) {
      uint column = (WAY * COLUMNS + j) * FRAG_N;
      coopMatLoad(s[j], first_s, column, FIRST_ROW, gl_CooperativeMatrixLayoutRowMajor);
      coopMatLoad(dp[j], first_dp, column, FIRST_ROW, gl_CooperativeMatrixLayoutRowMajor);
    }
    ADD_SCORES(s, k, own_k, q_tile)
    ADD_SCORES(dp, v, own_v, dout_tile)
    differentiate(s, dp);
    store_scores(s);
    rows_barrier();
    STORE_WEIGHTS(IS_WHOLE(whole, query), SEES(query + column, key) && query + column < key_end)
    rows_barrier();
    store_scores(dp);
    ADD_WEIGHTED(dv, dout_transposed)
    rows_barrier();
    STORE_WEIGHTS(IS_WHOLE(whole, query), SEES(query + column, key) && query + column < key_end)
    rows_barrier();
    ADD_WEIGHTED(dk, q_transposed)
  }
  STORE_ROWS(dk, dqkv4, k_base, row_stride, first, scale_of)
  STORE_ROWS(dv, dqkv4, v_base, row_stride, first, unscaled)
}
