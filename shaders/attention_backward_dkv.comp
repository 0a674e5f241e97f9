#version 460
#extension GL_GOOGLE_include_directive : require

// dk and dv of causal attention: p from the stored log-sum-exp, dv = p^T dout, ds = p (dp - row_sum),
// dk = ds^T q / sqrt(HS) (arXiv:2205.14135). Each key belongs to one group, which walks over the query heads
// that share it (GROUPED) and over its queries in order.

#include "attention.glsl"

layout(set = 0, binding = 0, std430) readonly buffer Dout { WORD dout[]; };  // (B, T, NH, HS)
layout(set = 0, binding = 1, std430) readonly buffer Qkv { WORD qkv[]; };    // (B, T, NH + 2 NKV, HS)
layout(set = 0, binding = 2, std430) readonly buffer Lse { float lse[]; };           // (B, NH, T)
layout(set = 0, binding = 3, std430) readonly buffer RowSums { float row_sums[]; };  // (B, NH, T)
layout(set = 0, binding = 4, std430) writeonly buffer Dqkv { WORD dqkv[]; };         // (B, T, NH + 2 NKV, HS)

// The keys that an invocation owns, scaled so that scores are in units of log 2 (or see IN_UNITS), and their values.
void load_keys(out float k[ROWS][DIMS], out float v[ROWS][DIMS], uint row[ROWS], uint k_base, uint lane) {
  UNROLL for (uint g = 0; g < ROWS; ++g) {
    uint base = k_base + min(row[g], T - 1) * (NH + 2 * NKV) * HS;
    UNROLL for (uint i = 0; i < DIMS; i += 4) {
      vec4 x = LOAD_OWN(qkv, base, lane, i) * OWN_SCALE;
      vec4 y = LOAD_OWN(qkv, base + NKV * HS, lane, i);
      KEEP(k, 0, g, lane, i, x);
      KEEP(v, 1, g, lane, i, y);
    }
  }
}

void store_keys(float dk[ROWS][DIMS], float dv[ROWS][DIMS], uint row[ROWS], uint k_base, uint lane) {
  UNROLL for (uint g = 0; g < ROWS; ++g) {
    if (row[g] < T) {
      uint base = k_base + row[g] * (NH + 2 * NKV) * HS;
      UNROLL for (uint i = 0; i < DIMS; i += 4) {
        vec4 x = four_of(dk[g], i) * SCALE;
        vec4 y = four_of(dv[g], i);
        STORE_OWN(dqkv, base, lane, i, x);
        STORE_OWN(dqkv, base + NKV * HS, lane, i, y);
      }
    }
  }
}

// Turns the scores of a tile, whose first query is `query`, into weights of dout, and dp into the gradients of the
// scores: ds = p (dp - row_sum).
void differentiate(inout float s[ROWS][TILE], inout float dp[ROWS][TILE], uint head, uint row[ROWS], uint query,
                   uint end[ROWS], uint t[TILE], uint lane) {
#ifdef DROPOUT
  float masks[ROWS][TILE];
  UNROLL for (uint g = 0; g < ROWS; ++g) masks[g] = keep_masks_of_key(head, query, row[g], lane / SPLIT);
#endif
  UNROLL for (uint r = 0; r < TILE; ++r) {
    float row_lse = lse[head * T + t[r]] * LOG2E;
    float row_sum = row_sums[head * T + t[r]];
    UNROLL for (uint g = 0; g < ROWS; ++g) {
      bool seen = SEES(query + r, row[g]) && query + r < end[g];
      // A probability, so at most 1: the bound keeps rounding of huge scores from overflowing.
      float p = exp2(min(IN_UNITS(sum_parts(s[g][r])) - row_lse, 0));
      float dprob = sum_parts(dp[g][r]);
#ifdef DROPOUT
      float ds = p * (dprob * masks[g][r] - row_sum);
      p *= masks[g][r];
#else
      float ds = p * (dprob - row_sum);
#endif
      s[g][r] = seen ? p : 0;
      dp[g][r] = seen ? ds : 0;
    }
  }
}

// Chunk c of the queries of a tile and of the gradients that reach them.
#define READ_TILE(c)                                                                  \
  UNROLL for (uint r = 0; r < TILE; ++r) {                                            \
    q[SLOT(c)][r] = ROW_OF(0, qkv, q_base + t[r] * row_stride, c, r);                 \
    dy[SLOT(c)][r] = ROW_OF(1, dout, dy_base + t[r] * NH * HS, c, r);                 \
  }

void main() {
  if (grid_group() >= groups) return;
  uint group = WITHIN(grid_group(), groups);
  uint lane = lane_index();
  uint kv_head = group / blocks % NKV;
  // The first block is seen by the most queries and goes first.
  uint first = group % blocks * (OWNERS * ROWS);
  uint b = group / blocks / NKV;
  uint row_stride = (NH + 2 * NKV) * HS;
  uint k_base = b * T * row_stride + (NH + kv_head) * HS;

  uint row[ROWS];
  uint row_end[ROWS];
  float k[ROWS][DIMS];
  float v[ROWS][DIMS];
  float dk[ROWS][DIMS];
  float dv[ROWS][DIMS];
  UNROLL for (uint g = 0; g < ROWS; ++g) {
    row[g] = first + g * OWNERS + lane / SPLIT;
    row_end[g] = end_of(b, row[g]);
    UNROLL for (uint i = 0; i < DIMS; ++i) dk[g][i] = dv[g][i] = 0;
  }
  load_keys(k, v, row, k_base, lane);
  uint own_at = lane;

  uint end = min(END_OF_QUERIES(first, OWNERS * ROWS), end_of(b, first + OWNERS * ROWS - 1));
#if GROUPED
  uint heads_end = (kv_head + 1) * (NH / NKV);
  for (uint next_h = kv_head * (NH / NKV); next_h < heads_end; ++next_h)
#else
  uint next_h = kv_head;
#endif
  for (uint query = first; query < end; query += TILE) {
    uint h = WITHIN(next_h, NH);
    uint q_base = b * T * row_stride + h * HS;
    uint dy_base = b * T * NH * HS + h * HS;
    NEXT_TILE(query, first, qkv, q_base, row_stride, dout, dy_base, NH * HS)
    uint head = b * NH + h;  // of all sequences
    uint t[TILE];
    float s[ROWS][TILE];
    float dp[ROWS][TILE];
    Chunk q[SLOTS][TILE];
    Chunk dy[SLOTS][TILE];
    UNROLL for (uint r = 0; r < TILE; ++r) {
      t[r] = min(query + r, T - 1);
      UNROLL for (uint g = 0; g < ROWS; ++g) s[g][r] = dp[g][r] = 0;
    }
    UNROLL for (uint c = 0; c < CHUNKS; ++c) {
      READ_TILE(c)
      add_scores(s, k, 0, q[SLOT(c)], c, own_at);
      add_scores(dp, v, 1, dy[SLOT(c)], c, own_at);
    }
    differentiate(s, dp, head, row, query, row_end, t, lane);
    FORGET_TILE
    UNROLL for (uint c = 0; c < CHUNKS; ++c) {
#if !KEPT
      READ_TILE(c)
#endif
      add_weighted(dv, s, dy[SLOT(c)], c);
      add_weighted(dk, dp, q[SLOT(c)], c);
    }
  }

  store_keys(dk, dv, row, k_base, lane);
}
