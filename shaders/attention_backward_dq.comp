#version 460
#extension GL_GOOGLE_include_directive : require

// dq of causal attention: ds = p (dp - row_sum) with p from the stored log-sum-exp, dq = ds k / sqrt(HS)
// (arXiv:2205.14135). Each query belongs to one group, which walks over its keys in order.

#include "attention.glsl"

layout(set = 0, binding = 0, std430) readonly buffer Dout { WORD douts[]; };  // (B, T, NH, HS)
layout(set = 0, binding = 1, std430) readonly buffer Qkv { WORD qkv[]; };     // (B, T, NH + 2 NKV, HS)
layout(set = 0, binding = 2, std430) readonly buffer Lse { float lse[]; };           // (B, NH, T)
layout(set = 0, binding = 3, std430) readonly buffer RowSums { float row_sums[]; };  // (B, NH, T)
layout(set = 0, binding = 4, std430) writeonly buffer Dqkv { WORD dqkv[]; };         // (B, T, NH + 2 NKV, HS)

// The queries that an invocation owns, scaled so that scores are in units of log 2 (or see IN_UNITS), and the gradients
// that reach them.
void load_queries(out float q[ROWS][DIMS], out float dout[ROWS][DIMS], uint row[ROWS], uint b, uint h, uint lane) {
  UNROLL for (uint g = 0; g < ROWS; ++g) {
    uint t = b * T + min(row[g], T - 1);
    UNROLL for (uint i = 0; i < DIMS; i += 4) {
      vec4 x = LOAD_OWN(qkv, t * (NH + 2 * NKV) * HS + h * HS, lane, i) * OWN_SCALE;
      vec4 y = LOAD_OWN(douts, t * NH * HS + h * HS, lane, i);
      KEEP(q, 0, g, lane, i, x);
      KEEP(dout, 1, g, lane, i, y);
    }
  }
}

void store_queries(float dq[ROWS][DIMS], uint row[ROWS], uint q_base, uint lane) {
  UNROLL for (uint g = 0; g < ROWS; ++g) {
    if (row[g] < T) {
      uint base = q_base + row[g] * (NH + 2 * NKV) * HS;
      UNROLL for (uint i = 0; i < DIMS; i += 4) {
        vec4 x = four_of(dq[g], i) * SCALE;
        STORE_OWN(dqkv, base, lane, i, x);
      }
    }
  }
}

// Turns the scores of a tile, whose first key is `key`, into their gradients: ds = p (dp - row_sum).
void differentiate(inout float s[ROWS][TILE], float dp[ROWS][TILE], float row_lse[ROWS], float row_sum[ROWS],
                   uint head, uint row[ROWS], uint begin[ROWS], uint key, bool is_whole) {
  UNROLL for (uint g = 0; g < ROWS; ++g) {
#ifdef DROPOUT
    float masks[TILE] = keep_masks(head, row[g], key);
#endif
    UNROLL for (uint r = 0; r < TILE; ++r) {
      // A probability, so at most 1: the bound keeps rounding of huge scores from overflowing.
      float p = exp2(min(IN_UNITS(sum_parts(s[g][r])) - row_lse[g], 0));
      float dprob = sum_parts(dp[g][r]);
#ifdef DROPOUT
      dprob *= masks[r];
#endif
      s[g][r] = p * (dprob - row_sum[g]);
    }
  }
  if (!is_whole) {
    UNROLL for (uint g = 0; g < ROWS; ++g) {
      UNROLL for (uint r = 0; r < TILE; ++r) {
        s[g][r] = SEES(row[g], key + r) && key + r >= begin[g] ? s[g][r] : 0;
      }
    }
  }
}

void main() {
  if (grid_group() >= groups) return;
  uint group = WITHIN(grid_group(), groups);
  uint lane = lane_index();
  uint head = group / blocks;  // of all sequences
  // The last block sees the most keys and goes first.
  uint first = (blocks - 1 - group % blocks) * (OWNERS * ROWS);
  uint b = head / NH;
  uint h = head % NH;
  uint row_stride = (NH + 2 * NKV) * HS;
  uint q_base = b * T * row_stride + h * HS;
  uint k_base = b * T * row_stride + (NH + h / (NH / NKV)) * HS;

  uint row[ROWS], begin[ROWS];
  float q[ROWS][DIMS];
  float dout[ROWS][DIMS];
  float dq[ROWS][DIMS];
  float row_lse[ROWS];  // in units of log 2
  float row_sum[ROWS];
  UNROLL for (uint g = 0; g < ROWS; ++g) {
    row[g] = first + g * OWNERS + lane / SPLIT;
    begin[g] = begin_of(b, row[g]);
    uint t = head * T + min(row[g], T - 1);
    row_lse[g] = lse[t] * LOG2E;
    row_sum[g] = row_sums[t];
    UNROLL for (uint i = 0; i < DIMS; ++i) dq[g][i] = 0;
  }
  load_queries(q, dout, row, b, h, lane);
  uint own_at = lane;

  uint end = min(T, first + OWNERS * ROWS);
  uvec2 whole = whole_keys(b, first, OWNERS * ROWS);
  uint first_key = max(FIRST_KEY(first), begin_of(b, first) / TILE * TILE);
  for (uint key = first_key; key < end; key += TILE) {
    NEXT_TILE(key, first_key, qkv, k_base, row_stride, qkv, k_base + NKV * HS, row_stride)
    uint base[TILE];
    float s[ROWS][TILE];
    float dp[ROWS][TILE];
    Chunk k[SLOTS][TILE];
    UNROLL for (uint r = 0; r < TILE; ++r) {
      base[r] = k_base + min(key + r, T - 1) * row_stride;
      UNROLL for (uint g = 0; g < ROWS; ++g) s[g][r] = dp[g][r] = 0;
    }
    UNROLL for (uint c = 0; c < CHUNKS; ++c) {
      Chunk v[TILE];
      UNROLL for (uint r = 0; r < TILE; ++r) {
        k[SLOT(c)][r] = ROW_OF(0, qkv, base[r], c, r);
        v[r] = ROW_OF(1, qkv, base[r] + NKV * HS, c, r);
      }
      add_scores(s, q, 0, k[SLOT(c)], c, own_at);
      add_scores(dp, dout, 1, v, c, own_at);
    }
    differentiate(s, dp, row_lse, row_sum, head, row, begin, key, IS_WHOLE(whole, key));
    FORGET_TILE
    UNROLL for (uint c = 0; c < CHUNKS; ++c) {
#if !KEPT
      UNROLL for (uint r = 0; r < TILE; ++r) k[0][r] = ROW_OF(0, qkv, base[r], c, r);
#endif
      add_weighted(dq, s, k[SLOT(c)], c);
    }
  }

  store_queries(dq, row, q_base, lane);
}
