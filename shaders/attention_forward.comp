#version 460
#extension GL_GOOGLE_include_directive : require

// softmax(q k^T / sqrt(HS)) v, causal, with the softmax taken online over tiles of keys (arXiv:2205.14135).

#include "attention.glsl"

layout(set = 0, binding = 0, std430) readonly buffer Qkv { WORD qkv[]; };      // (B, T, NH + 2 NKV, HS)
layout(set = 0, binding = 1, std430) writeonly buffer Out { WORD result[]; };  // (B, T, NH, HS)
layout(set = 0, binding = 2, std430) writeonly buffer Lse { float lse[]; };    // (B, NH, T)

// The queries that an invocation owns, scaled so that scores are in units of log 2.
void load_queries(out float q[ROWS][DIMS], uint row[ROWS], uint q_base, uint row_stride, uint lane) {
  UNROLL for (uint g = 0; g < ROWS; ++g) {
    uint base = q_base + min(row[g], T - 1) * row_stride;
    UNROLL for (uint i = 0; i < DIMS; i += 4) {
      vec4 x = LOAD_OWN(qkv, base, lane, i) * OWN_SCALE;
      KEEP(q, 0, g, lane, i, x);
    }
  }
}

// Turns the scores of a tile, whose first key is `key`, into weights of its values, and rescales the earlier sums to
// the new maximum: the online softmax.
void weigh(inout float s[ROWS][TILE], inout float acc[ROWS][DIMS], inout float row_max[ROWS],
           inout float row_sum[ROWS], uint head, uint row[ROWS], uint begin[ROWS], uint key, bool is_whole) {
  UNROLL for (uint g = 0; g < ROWS; ++g) {
    UNROLL for (uint r = 0; r < TILE; ++r) s[g][r] = sum_parts(s[g][r]);
  }
  if (!is_whole) {
    UNROLL for (uint g = 0; g < ROWS; ++g) {
      UNROLL for (uint r = 0; r < TILE; ++r) {
        s[g][r] = SEES(row[g], key + r) && key + r >= begin[g] ? s[g][r] : MASKED;
      }
    }
  }
  UNROLL for (uint g = 0; g < ROWS; ++g) {
    float new_max = row_max[g];
    UNROLL for (uint r = 0; r < TILE; ++r) new_max = max(new_max, s[g][r]);
    float shrink = exp2(row_max[g] - new_max);
    row_max[g] = new_max;
    row_sum[g] *= shrink;
    UNROLL for (uint r = 0; r < TILE; ++r) {
      s[g][r] = exp2(s[g][r] - new_max);
      row_sum[g] += s[g][r];
    }
    UNROLL for (uint i = 0; i < DIMS; ++i) acc[g][i] *= shrink;
#ifdef DROPOUT
    float masks[TILE] = keep_masks(head, row[g], key);
    UNROLL for (uint r = 0; r < TILE; ++r) s[g][r] *= masks[r];
#endif
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

  uint row[ROWS];
  uint begin[ROWS];
  float q[ROWS][DIMS];
  float acc[ROWS][DIMS];
  float row_max[ROWS];
  float row_sum[ROWS];
  UNROLL for (uint g = 0; g < ROWS; ++g) {
    row[g] = first + g * OWNERS + lane / SPLIT;
    begin[g] = begin_of(b, row[g]);
    UNROLL for (uint i = 0; i < DIMS; ++i) acc[g][i] = 0;
    row_max[g] = MASKED;
    row_sum[g] = 0;
  }
  load_queries(q, row, q_base, row_stride, lane);

  uint end = min(T, first + OWNERS * ROWS);
  uvec2 whole = whole_keys(b, first, OWNERS * ROWS);
  uint first_key = max(FIRST_KEY(first), begin_of(b, first) / TILE * TILE);
  for (uint key = first_key; key < end; key += TILE) {
    NEXT_TILE(key, first_key, qkv, k_base, row_stride, qkv, k_base + NKV * HS, row_stride)
    uint base[TILE];
    float s[ROWS][TILE];
    UNROLL for (uint r = 0; r < TILE; ++r) {
      base[r] = k_base + min(key + r, T - 1) * row_stride;
      UNROLL for (uint g = 0; g < ROWS; ++g) s[g][r] = 0;
    }
    UNROLL for (uint c = 0; c < CHUNKS; ++c) {
      Chunk k[TILE];
      UNROLL for (uint r = 0; r < TILE; ++r) k[r] = ROW_OF(0, qkv, base[r], c, r);
      add_scores(s, q, 0, k, c, lane);
    }
    weigh(s, acc, row_max, row_sum, head, row, begin, key, IS_WHOLE(whole, key));
    UNROLL for (uint c = 0; c < CHUNKS; ++c) {
      Chunk v[TILE];
      UNROLL for (uint r = 0; r < TILE; ++r) v[r] = ROW_OF(1, qkv, base[r] + NKV * HS, c, r);
      add_weighted(acc, s, v, c);
    }
  }

  UNROLL for (uint g = 0; g < ROWS; ++g) {
    if (row[g] < T) {
      float inverse = 1 / row_sum[g];
      uint base = (b * T + row[g]) * NH * HS + h * HS;
      UNROLL for (uint i = 0; i < DIMS; i += 4) {
        vec4 x = four_of(acc[g], i) * inverse;
        STORE_OWN(result, base, lane, i, x);
      }
      if (lane % SPLIT == 0) lse[head * T + row[g]] = (row_max[g] + log2(row_sum[g])) * LN2;
    }
  }
}
