#version 460
#extension GL_GOOGLE_include_directive : require

// softmax(q k^T / sqrt(HS)) v, causal, with the softmax taken online over tiles of keys (arXiv:2205.14135), on
// cooperative matrices.

#include "attention_khr.glsl"
#include "attention_keys.glsl"

shared uvec2 k_tile[TILE * ROW_WORDS];
shared uvec2 v_transposed[HS * TILE_WORDS];
shared float factors[OWN * FRAG_N];  // equal along a row
#if !OWN_REGISTERS
shared uvec2 own_q[OWN * ROW_WORDS];
#endif
float inverse_sum(uint row) { return factors[row * FRAG_N]; }

// Multiplies the rows of acc by those of `factors`.
void scale_rows(inout Accumulator acc[DIMS]) {
  Accumulator factor;
  coopMatLoad(factor, factors, ROW_GROUP * FRAG_M * FRAG_N, FRAG_N, gl_CooperativeMatrixLayoutRowMajor);
  UNROLL for (uint j = 0; j < DIMS; ++j) acc[j] = acc[j] * factor;
}

// Turns this invocation's scores of a tile, whose first key is `key`, into weights, and brings the maximum and the sum
// of their row up to date: the online softmax. Returns the factor that rescales the earlier sums. The maximum is of
// scores in units of log 2.
float weigh(uint query, uint begin, uint key, bool is_whole, inout float row_max, inout float row_sum) {
  vec4 p[TILE / (4 * ROW_LANES)];
  float new_max = row_max;
  UNROLL for (uint c = 0; c < TILE; c += 4 * ROW_LANES) {
    p[c / (4 * ROW_LANES)] = scores[OWN_ROW * SCORE_WORDS + (c + OWN_COLUMN) / 4] * (SCALE * LOG2E);
  }
  if (!is_whole) {
    UNROLL for (uint c = 0; c < TILE; c += 4 * ROW_LANES) {
      UNROLL for (uint i = 0; i < 4; ++i) {
        uint column = key + c + OWN_COLUMN + i;
        if (!(SEES(query, column) && column >= begin)) p[c / (4 * ROW_LANES)][i] = MASKED;
      }
    }
  }
  UNROLL for (uint c = 0; c < TILE; c += 4 * ROW_LANES) {
    UNROLL for (uint i = 0; i < 4; ++i) new_max = max(new_max, p[c / (4 * ROW_LANES)][i]);
  }
  new_max = row_max_of(new_max);
  float sum = 0;
  UNROLL for (uint c = 0; c < TILE; c += 4 * ROW_LANES) {
    vec4 x = exp2(p[c / (4 * ROW_LANES)] - new_max);
    sum += x.x + x.y + x.z + x.w;
    weights[OWN_ROW * TILE_WORDS + (c + OWN_COLUMN) / 4] = uvec2(operand_pair(x.xy), operand_pair(x.zw));
  }
  float shrink = exp2(row_max - new_max);
  row_max = new_max;
  row_sum = row_sum * shrink + row_sum_of(sum);
  return shrink;
}

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
  Keys keys = keys_of(b, h, first);
  uint query = keys.position + OWN_ROW;
  uint begin = begin_of(b, query);
  uvec2 whole = whole_keys(b, keys.position, OWN);

#if OWN_REGISTERS
  OperandA q[HS / FRAG_K];
  LOAD_OWN(q, k_tile, qkv4, q_base, row_stride, first)
#else
  STAGE_ROWS(own_q, 0, qkv4, q_base, row_stride, first, OWN, T)
#endif
  Accumulator acc[DIMS];
  UNROLL for (uint j = 0; j < DIMS; ++j) acc[j] = Accumulator(0);
  float row_max = MASKED;
  float row_sum = 0;

  for (uint key = keys.from; key < keys.end; key += TILE) {
    barrier();
    STAGE_ROWS(k_tile, 0, KEY_ROWS, keys.base, keys.stride, key, TILE, keys.count)
    STAGE_TRANSPOSED(v_transposed, VALUE_ROWS, keys.value_base, keys.stride, key, keys.count, KEEP_NONE)
    barrier();
    Accumulator s[COLUMNS];
    UNROLL for (uint j = 0; j < COLUMNS; ++j) s[j] = Accumulator(0);
    ADD_SCORES(s, q, own_q, k_tile)
    store_scores(s);
    rows_barrier();

    float shrink = weigh(query, begin, key, IS_WHOLE(whole, key), row_max, row_sum);
    // Maxima seldom change after the first tiles. Subgroups that share rows do not see each other's maxima.
    bool shrinks = WAYS > 1 || subgroupMin(shrink) < 1;
    if (shrinks) {
      for (uint c = lane_index() % ROW_LANES; c < FRAG_N; c += ROW_LANES) {
        factors[OWN_ROW * FRAG_N + c] = shrink;
      }
    }
    rows_barrier();
    if (shrinks) scale_rows(acc);
    ADD_WEIGHTED(acc, v_transposed)
  }

  barrier();
  if (lane_index() % ROW_LANES == 0) factors[OWN_ROW * FRAG_N] = 1 / row_sum;
  STORE_ROWS(acc, result4, b * T * NH * HS + h * HS, NH * HS, first, inverse_sum)
#if !CACHED
  if (query < T && lane_index() % ROW_LANES == 0) lse[head * T + query] = (row_max + log2(row_sum)) * LN2;
#endif
}
