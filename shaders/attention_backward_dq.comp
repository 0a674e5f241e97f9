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

void main() {
  uint group = grid_group();
  if (group >= groups) return;
  uint lane = lane_index();
  uint head = group / blocks;  // of all sequences
  // The last block sees the most keys and goes first.
  uint first = (blocks - 1 - group % blocks) * (OWNERS * ROWS);
  uint b = head / NH;
  uint h = head % NH;
  uint row_stride = (NH + 2 * NKV) * HS;
  uint q_base = b * T * row_stride + h * HS;
  uint k_base = b * T * row_stride + (NH + h / (NH / NKV)) * HS;

  uint row[ROWS];
  float q[ROWS][DIMS];
  float dout[ROWS][DIMS];
  float dq[ROWS][DIMS];
  float row_lse[ROWS];  // in units of log 2
  float row_sum[ROWS];
  UNROLL for (uint g = 0; g < ROWS; ++g) {
    row[g] = first + g * OWNERS + lane / SPLIT;
    uint t = min(row[g], T - 1);
    UNROLL for (uint i = 0; i < DIMS; i += 4) {
      uint element = h * HS + own_element(lane, i);
      vec4 x = LOAD4(qkv, (b * T + t) * row_stride + element) * (SCALE * LOG2E);
      vec4 y = LOAD4(douts, (b * T + t) * NH * HS + element);
      UNROLL for (uint j = 0; j < 4; ++j) {
        q[g][i + j] = x[j];
        dout[g][i + j] = y[j];
        dq[g][i + j] = 0;
      }
    }
    row_lse[g] = lse[head * T + t] * LOG2E;
    row_sum[g] = row_sums[head * T + t];
  }

  uint end = min(T, first + OWNERS * ROWS);
  for (uint key = FIRST_KEY(first); key < end; key += TILE) {
    NEXT_TILE(key, FIRST_KEY(first), qkv, k_base, row_stride, qkv, k_base + NKV * HS, row_stride)
    uint base[TILE];
    float s[ROWS][TILE];
    float dp[ROWS][TILE];
    Chunk k[CHUNKS][TILE];
    UNROLL for (uint r = 0; r < TILE; ++r) {
      base[r] = k_base + min(key + r, T - 1) * row_stride;
      UNROLL for (uint g = 0; g < ROWS; ++g) s[g][r] = dp[g][r] = 0;
    }
    UNROLL for (uint c = 0; c < CHUNKS; ++c) {
      Chunk v[TILE];
      UNROLL for (uint r = 0; r < TILE; ++r) {
        k[c][r] = ROW_OF(0, qkv, base[r], c, r);
        v[r] = ROW_OF(1, qkv, base[r] + NKV * HS, c, r);
      }
      UNROLL for (uint i = 0; IN_CHUNK(c, i); ++i) {
        UNROLL for (uint r = 0; r < TILE; ++r) {
          float x = chunk_element(k[c][r], i);
          UNROLL for (uint g = 0; g < ROWS; ++g) s[g][r] += q[g][c * CHUNK + i] * x;
        }
      }
      UNROLL for (uint i = 0; IN_CHUNK(c, i); ++i) {
        UNROLL for (uint r = 0; r < TILE; ++r) {
          float x = chunk_element(v[r], i);
          UNROLL for (uint g = 0; g < ROWS; ++g) dp[g][r] += dout[g][c * CHUNK + i] * x;
        }
      }
    }
    UNROLL for (uint g = 0; g < ROWS; ++g) {
#ifdef DROPOUT
      float masks[TILE] = keep_masks(head, row[g], key);
#endif
      UNROLL for (uint r = 0; r < TILE; ++r) {
        // A probability, so at most 1: the bound keeps rounding of huge scores from overflowing.
        float p = exp2(min(sum_parts(s[g][r]) - row_lse[g], 0));
        float dprob = sum_parts(dp[g][r]);
#ifdef DROPOUT
        dprob *= masks[r];
#endif
        float ds = p * (dprob - row_sum[g]);
        s[g][r] = SEES(row[g], key + r) ? ds : 0;
      }
    }
    UNROLL for (uint c = 0; c < CHUNKS; ++c) {
      UNROLL for (uint i = 0; IN_CHUNK(c, i); ++i) {
        UNROLL for (uint r = 0; r < TILE; ++r) {
          float x = chunk_element(k[c][r], i);
          UNROLL for (uint g = 0; g < ROWS; ++g) dq[g][c * CHUNK + i] += s[g][r] * x;
        }
      }
    }
  }

  UNROLL for (uint g = 0; g < ROWS; ++g) {
    if (row[g] < T) {
      uint base = q_base + row[g] * row_stride;
      UNROLL for (uint i = 0; i < DIMS; i += 4) {
        vec4 x = vec4(dq[g][i], dq[g][i + 1], dq[g][i + 2], dq[g][i + 3]) * SCALE;
        STORE4(dqkv, base + own_element(lane, i), x);
      }
    }
  }
}
