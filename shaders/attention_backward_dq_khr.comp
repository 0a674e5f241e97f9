#version 460
#extension GL_GOOGLE_include_directive : require

// dq of causal attention: ds = p (dp - row_sum) with p from the stored log-sum-exp, dq = ds k / sqrt(HS)
// (arXiv:2205.14135), on cooperative matrices.

#include "attention_khr.glsl"

layout(set = 0, binding = 0, std430) readonly buffer Dout { WORD4 dout4[]; };  // (B, T, NH, HS)
layout(set = 0, binding = 1, std430) readonly buffer Qkv { WORD4 qkv4[]; };    // (B, T, NH + 2 NKV, HS)
layout(set = 0, binding = 2, std430) readonly buffer Lse { float lse[]; };           // (B, NH, T)
layout(set = 0, binding = 3, std430) readonly buffer RowSums { float row_sums[]; };  // (B, NH, T)
layout(set = 0, binding = 4, std430) writeonly buffer Dqkv { WORD4 dqkv4[]; };       // (B, T, NH + 2 NKV, HS)

shared uvec2 k_tile[TILE * ROW_WORDS];
shared uvec2 v_tile[TILE * ROW_WORDS];
shared uvec2 k_transposed[HS * TILE_WORDS];
#if !OWN_REGISTERS
shared uvec2 own_q[OWN * ROW_WORDS];
shared uvec2 own_dout[OWN * ROW_WORDS];
#endif

// A matrix whose rows hold the x of their invocations, equal along a row.
Accumulator broadcast_rows(float x) {
  for (uint c = OWN_COLUMN; c < FRAG_N; c += 4 * ROW_LANES) scores[OWN_ROW * SCORE_WORDS + c / 4] = vec4(x);
  rows_barrier();
  Accumulator rows;
  coopMatLoad(rows, scores, ROW_GROUP * FRAG_M * SCORE_WORDS, SCORE_WORDS, gl_CooperativeMatrixLayoutRowMajor);
  rows_barrier();
  return rows;
}

float scale_of(uint row) { return SCALE; }

void main() {
  uint group = grid_group();
  if (group >= groups) return;
  uint head = group / blocks;  // of all sequences
  // The last block sees the most keys and goes first.
  uint first = (blocks - 1 - group % blocks) * OWN;
  uint b = head / NH;
  uint h = head % NH;
  uint row_stride = (NH + 2 * NKV) * HS;
  uint q_base = b * T * row_stride + h * HS;
  uint k_base = b * T * row_stride + (NH + h / (NH / NKV)) * HS;
  uint dout_base = b * T * NH * HS + h * HS;
  uint query = first + OWN_ROW;
  uint begin = begin_of(b, query);
  uvec2 whole = whole_keys(b, first, OWN);

#if OWN_REGISTERS
  OperandA q[HS / FRAG_K];
  OperandA dout[HS / FRAG_K];
  LOAD_OWN(q, k_tile, qkv4, q_base, row_stride, first)
  LOAD_OWN(dout, v_tile, dout4, dout_base, NH * HS, first)
#else
  STAGE_ROWS(own_q, 0, qkv4, q_base, row_stride, first, OWN, T)
  STAGE_ROWS(own_dout, 0, dout4, dout_base, NH * HS, first, OWN, T)
#endif
  Accumulator first_s = broadcast_rows(-lse[head * T + min(query, T - 1)] / SCALE);
  Accumulator first_dp = broadcast_rows(-row_sums[head * T + min(query, T - 1)]);
  Accumulator dq[DIMS];
  UNROLL for (uint j = 0; j < DIMS; ++j) dq[j] = Accumulator(0);

  uint end = min(T, first + OWN);
  for (uint key = max(FIRST_KEY(first), begin_of(b, first) / TILE * TILE); key < end; key += TILE) {
    barrier();
    STAGE_TRANSPOSED(k_transposed, qkv4, k_base, row_stride, key, T, KEEP_ROWS(k_tile))
    STAGE_ROWS(v_tile, 0, qkv4, k_base + NKV * HS, row_stride, key, TILE, T)
    barrier();
    Accumulator s[COLUMNS];
    Accumulator dp[COLUMNS];
    UNROLL for (uint j = 0; j < COLUMNS; ++j) {
      s[j] = first_s;
      dp[j] = first_dp;
    }
    ADD_SCORES(s, q, own_q, k_tile)
    ADD_SCORES(dp, dout, own_dout, v_tile)
    differentiate(s, dp);
    store_scores(dp);
    rows_barrier();
    STORE_WEIGHTS(IS_WHOLE(whole, key), SEES(query, key + column) && key + column >= begin)
    rows_barrier();
    ADD_WEIGHTED(dq, k_transposed)
  }
  STORE_ROWS(dq, dqkv4, q_base, row_stride, first, scale_of)
}
