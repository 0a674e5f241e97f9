#version 460
#extension GL_GOOGLE_include_directive : require

// dq of causal attention: ds = p (dp - row_sum) with p from the stored log-sum-exp, dq = ds k / sqrt(HS)
// (arXiv:2205.14135), on matrices of VK_NV_cooperative_matrix2.

#include "attention_nv.glsl"

layout(set = 0, binding = 0, std430) readonly buffer Dout { WORD4 dout4[]; };  // (B, T, NH, HS)
layout(set = 0, binding = 1, std430) readonly buffer Qkv { WORD4 qkv4[]; };    // (B, T, NH + 2 NKV, HS)
layout(set = 0, binding = 2, std430) readonly buffer Lse { float lse[]; };           // (B, NH, T)
layout(set = 0, binding = 3, std430) readonly buffer RowSums { float row_sums[]; };  // (B, NH, T)
layout(set = 0, binding = 4, std430) writeonly buffer Dqkv { WORD4 dqkv4[]; };       // (B, T, NH + 2 NKV, HS)

shared uvec2 k_tile[TILE * ROW_WORDS];
shared uvec2 v_tile[TILE * ROW_WORDS];
shared float row_lse[OWN];  // in units of log 2
shared float row_sum[OWN];

// At most 1: the bound keeps rounding of huge scores from overflowing.
float probability(const in uint row, const in uint column, const in float s) {
  return exp2(min(s * (SCALE * LOG2E) - row_lse[row], 0));
}
float masked_probability(const in uint row, const in uint column, const in float s, const in uint first,
                         const in uint key) {
  return SEES(first + row, key + column) && key + column >= ROW_BEGIN(row) ? probability(row, column, s) : 0;
}
float centered(const in uint row, const in uint column, const in float dp) { return dp - row_sum[row]; }

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

  OwnRows q;
  OwnRows dout;
  LOAD_OWN(q, k_tile, qkv4, q_base, row_stride, first)
  LOAD_OWN(dout, v_tile, dout4, b * T * NH * HS + h * HS, NH * HS, first)
  for (uint row = gl_LocalInvocationIndex; row < OWN; row += LANES) {
    uint i = head * T + min(first + row, T - 1);
    row_lse[row] = lse[i] * LOG2E;
    row_sum[row] = row_sums[i];
  }
  Results dq = Results(0);

  STAGE_LIMITS(begin_of, b, first)
  uvec2 whole = whole_keys(b, first, OWN);
  uint end = min(T, first + OWN);
  for (uint key = max(FIRST_KEY(first), begin_of(b, first) / TILE * TILE); key < end; key += TILE) {
    barrier();
    STAGE_ROWS(k_tile, 0, qkv4, k_base, row_stride, key, TILE, T)
    STAGE_ROWS(v_tile, 0, qkv4, k_base + NKV * HS, row_stride, key, TILE, T)
    barrier();
    Scores p;
    Scores dp;
    SCORES_OF(q, k_tile, p)
    SCORES_OF(dout, v_tile, dp)
    if (IS_WHOLE(whole, key)) {
      coopMatPerElementNV(p, p, probability);
    } else {
      coopMatPerElementNV(p, p, masked_probability, first, key);
    }
    coopMatPerElementNV(dp, dp, centered);
    Scores ds = p * dp;
    ADD_WEIGHTED(dq, Weights(ds), k_tile)
  }
  dq = dq * SCALE;
  STORE_ROWS(dq, k_tile, dqkv4, q_base, row_stride, first)
}
