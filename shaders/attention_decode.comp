#version 460
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#extension GL_KHR_shader_subgroup_arithmetic : require
#extension GL_KHR_shader_subgroup_ballot : require

// Attention of new tokens over the cached keys (with a window, the last window - 1 of them) and their own. Each row
// has its place, a position and a slot of the cache; a row whose slot is none gets some finite result. One workgroup
// takes a query head of QUERIES rows: its subgroups take tiles of earlier positions in turn, with a lane per key for
// the scores and lanes over HS for the values, and merge at the end by the online softmax. What a row computes, in
// which order, depends on its position alone: tiles that a neighbour needs and it does not add exactly nothing.
// Macros: HS, a multiple of 4; LANES, the workgroup size; MIN_SUBGROUP, the fewest lanes that a subgroup can have;
// QUERIES, rows of one slot at positions that follow each other; STORES, 1: the rows also put their keys and values
// into the cache, else that is done; DTYPE of qkv and output, CACHE_DTYPE; SPLITS, 1: `parts` workgroups share a head of the
// one row, each with a block of `keys` positions (include/attention_splits.glsl), and attention_decode_merge follows.

#include "packed.glsl"

#define CACHE_ELEMENT ELEMENT_OF(CACHE_DTYPE)
#define CACHE_WORD4 WORD4_OF(CACHE_DTYPE)
#if CACHE_DTYPE == DTYPE
#define to_cache(element) (element)
#else
#define to_cache(element) to_element_of(CACHE_DTYPE, within_f16(from_element(element)))
#endif

layout(local_size_x = LANES) in;

#include "grid.glsl"

layout(set = 0, binding = 0, std430) readonly buffer Qkv { ELEMENT qkv[]; };  // (rows, NH + 2 NKV, HS)
layout(set = 0, binding = 0, std430) readonly buffer Qkv4 { WORD4 qkv4[]; };
layout(set = 0, binding = 1, std430) readonly buffer Places { ivec2 places[]; };  // (rows) of (position, slot)
layout(set = 0, binding = 2, std430) buffer KCache { CACHE_ELEMENT k_cache[]; };  // (slots, NKV, T_max, HS)
layout(set = 0, binding = 2, std430) readonly buffer KCache4 { CACHE_WORD4 k_cache4[]; };
layout(set = 0, binding = 3, std430) buffer VCache { CACHE_ELEMENT v_cache[]; };  // (slots, NKV, T_max, HS)
#if SPLITS
layout(set = 0, binding = 4, std430) writeonly buffer SplitAcc { float split_acc[]; };   // (rows, NH, parts, HS)
layout(set = 0, binding = 5, std430) writeonly buffer SplitSums { vec2 split_sums[]; };  // (rows, NH, parts)
#else
layout(set = 0, binding = 4, std430) writeonly buffer Out { ELEMENT result[]; };  // (rows, NH, HS)
#endif

layout(push_constant) uniform Push {
  uint T_max;
  uint NH;
  uint groups;  // rows / QUERIES * parts * NH
  uint NKV;
  uint window;  // 0: all
  uint slots;
#if SPLITS
  uint parts;
  uint keys;  // a multiple of LANES
#endif
};

#if SPLITS
#include "attention_splits.glsl"
#endif

#define UNROLL [[unroll]]
#define EACH_QUERY UNROLL for (uint q = 0; q < QUERIES; ++q)
#define EACH_PART UNROLL for (uint i = 0; i < PARTS; ++i)
#define MAX_SUBGROUPS (LANES / MIN_SUBGROUP)
#define PARTS ((HS + MIN_SUBGROUP - 1) / MIN_SUBGROUP)  // elements of a row for each lane, at most
#define UNIT (inversesqrt(float(HS)) * 1.4426950408889634)  // scores in units of log 2
#define MASKED -1e38

#if MAX_SUBGROUPS > 1
shared float parts_max[MAX_SUBGROUPS][QUERIES];
shared float parts_sum[MAX_SUBGROUPS][QUERIES];
shared float parts_acc[MAX_SUBGROUPS][QUERIES][HS];
#endif

// The online softmax of this subgroup's positions, for each row: the largest score, and relative to it the sum of the
// probabilities and of the values.
float largest[QUERIES];
float sum[QUERIES];
float acc[QUERIES][PARTS];

// Where each row's query lies, its position and the first one that it sees.
uint q_base[QUERIES];
uint position[QUERIES];
uint first_key[QUERIES];

// Element i of this lane's part of a row of HS.
uint element_of(uint i) { return gl_SubgroupInvocationID + i * gl_SubgroupSize; }

// Begins row q with the token itself in the subgroup that starts, with nothing in the others. With STORES one query
// head of a group also stores the key and value: only earlier positions are read later, so no barrier is needed.
void take_own(uint q, uint k_base, uint cache_at, bool starts, bool stores) {
  const uint v_base = k_base + NKV * HS;
  precise float own = 0;
  EACH_PART {
    const uint d = element_of(i);
    acc[q][i] = 0;
    if (d < HS) {
      own = fma(from_element(qkv[q_base[q] + d]), from_element(qkv[k_base + d]), own);
      if (starts) {
        acc[q][i] = from_element(qkv[v_base + d]);
#if STORES
        if (stores) {
          k_cache[cache_at + d] = to_cache(qkv[k_base + d]);
          v_cache[cache_at + d] = to_cache(qkv[v_base + d]);
        }
#endif
      }
    }
  }
  own = subgroupAdd(own) * UNIT;
  largest[q] = starts ? own : MASKED;
  sum[q] = starts ? 1 : 0;
}

// Takes the positions from `first` on, as many as the subgroup has lanes, of which some row sees [begin, end).
void take_tile(uint cache_base, uint first, uint begin, uint end) {
  const uint key = first + gl_SubgroupInvocationID;
  const uint base = cache_base + min(key, end - 1) * HS;
  precise float s[QUERIES], p[QUERIES];
  EACH_QUERY s[q] = 0;
  for (uint i = 0; i < HS; i += 4) {
    const vec4 k = unpack4_of(CACHE_DTYPE, k_cache4[(base + i) / 4]);
    EACH_QUERY {
      const vec4 x = unpack4(qkv4[(q_base[q] + i) / 4]);
      s[q] = fma(x.x, k.x, s[q]);
      s[q] = fma(x.y, k.y, s[q]);
      s[q] = fma(x.z, k.z, s[q]);
      s[q] = fma(x.w, k.w, s[q]);
    }
  }
  EACH_QUERY {
    const bool sees = key < position[q] && key >= first_key[q];
    s[q] = sees ? s[q] * UNIT : MASKED;
    precise const float new_largest = max(largest[q], subgroupMax(s[q]));
    p[q] = sees ? exp2(s[q] - new_largest) : 0;
    precise const float shrink = exp2(largest[q] - new_largest);
    largest[q] = new_largest;
    sum[q] = fma(sum[q], shrink, subgroupAdd(p[q]));
    EACH_PART acc[q][i] *= shrink;
  }
  const uint from = first < begin ? begin - first : 0;
  const uint count = min(gl_SubgroupSize, end - first);
  for (uint j = from; j < count; ++j) {
    float weight[QUERIES];
    EACH_QUERY weight[q] = subgroupBroadcast(p[q], j);
    EACH_PART {
      const uint at = cache_base + (first + j) * HS + min(element_of(i), HS - 1);
      const float v = from_element_of(CACHE_DTYPE, v_cache[at]);
      EACH_QUERY acc[q][i] = fma(weight[q], v, acc[q][i]);
    }
  }
}

#if MAX_SUBGROUPS > 1
// Brings the sums of all subgroups into the first one.
void merge_subgroups() {
  EACH_QUERY {
    EACH_PART if (element_of(i) < HS) parts_acc[gl_SubgroupID][q][element_of(i)] = acc[q][i];
    if (gl_SubgroupInvocationID == 0) {
      parts_max[gl_SubgroupID][q] = largest[q];
      parts_sum[gl_SubgroupID][q] = sum[q];
    }
  }
  barrier();
  if (gl_SubgroupID != 0) return;
  // Rows within the loop: a compiler that does not unroll the loop over rows around this one keeps the sums in
  // memory.
  for (uint other = 1; other < gl_NumSubgroups; ++other) {
    EACH_QUERY {
      precise const float new_largest = max(largest[q], parts_max[other][q]);
      precise const float shrink = exp2(largest[q] - new_largest);
      precise const float grow = exp2(parts_max[other][q] - new_largest);
      largest[q] = new_largest;
      sum[q] = fma(sum[q], shrink, parts_sum[other][q] * grow);
      EACH_PART acc[q][i] = fma(acc[q][i], shrink, parts_acc[other][q][min(element_of(i), HS - 1)] * grow);
    }
  }
}
#endif

void main() {
  const uint group = grid_group();
  if (group >= groups) return;
  const uint h = group % NH;
#if SPLITS
  const uint part = group / NH % parts;
  const uint first_row = group / NH / parts;
#else
  const uint first_row = group / NH * QUERIES;
#endif
  const uint kv_head = h / (NH / NKV);
  const uint cache_base = (min(uint(places[first_row].y), slots - 1) * NKV + kv_head) * T_max * HS;

  bool starts = gl_SubgroupID == 0;
  uint begin = T_max, end = 0;
  bool is_real[QUERIES];
  EACH_QUERY {
    const uint row = first_row + q;
    is_real[q] = uint(places[row].y) < slots;
    position[q] = is_real[q] ? min(uint(places[row].x), T_max - 1) : 0;
    first_key[q] = window == 0 ? 0 : position[q] + 1 - min(position[q] + 1, window);
    if (is_real[q]) begin = min(begin, first_key[q]);
    end = max(end, position[q]);
    q_base[q] = (row * (NH + 2 * NKV) + h) * HS;
  }
#if SPLITS
  const uint block = block_of(part, first_key[0]);
  if (block > last_block(first_key[0], end)) return;
  starts = starts && block == first_block(first_key[0]);
  begin = max(first_key[0], block * keys);
  end = min(end, (block + 1) * keys);
#endif
  EACH_QUERY {
    const uint k_base = ((first_row + q) * (NH + 2 * NKV) + NH + kv_head) * HS;
    take_own(q, k_base, cache_base + position[q] * HS, starts, is_real[q] && h % (NH / NKV) == 0);
  }
  // Tiles lie at multiples of their width, so that a key has its lane whatever the rows are.
  const uint step = gl_NumSubgroups * gl_SubgroupSize;
  for (uint first = begin / step * step + gl_SubgroupID * gl_SubgroupSize; first < end; first += step) {
    take_tile(cache_base, first, begin, end);
  }
#if MAX_SUBGROUPS > 1
  merge_subgroups();
  if (gl_SubgroupID != 0) return;
#endif
#if SPLITS
  const uint at = (first_row * NH + h) * parts + part;
  EACH_PART if (element_of(i) < HS) split_acc[at * HS + element_of(i)] = acc[0][i];
  if (gl_SubgroupInvocationID == 0) split_sums[at] = vec2(largest[0], sum[0]);
#else
  EACH_QUERY EACH_PART {
    const uint d = element_of(i);
    if (d < HS) result[((first_row + q) * NH + h) * HS + d] = to_element(acc[q][i] / sum[q]);
  }
#endif
}
