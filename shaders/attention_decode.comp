#version 460
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#extension GL_KHR_shader_subgroup_arithmetic : require
#extension GL_KHR_shader_subgroup_ballot : require

// Attention of one new token per sequence over the cached keys (with a window, the last window - 1 of them) and
// its own, which is added to the cache at StepParams.position. One workgroup a query head: its subgroups take
// tiles of earlier positions in turn, with a lane per key for the scores and lanes over HS for the values, and
// merge at the end by the online softmax. Macros: HS, a multiple of 4; LANES, the workgroup size; MIN_SUBGROUP, the
// fewest lanes that a subgroup can have; DTYPE of qkv, caches and output.

#include "packed.glsl"

layout(local_size_x = LANES) in;

#include "grid.glsl"
#include "step_params.glsl"

layout(set = 0, binding = 0, std430) readonly buffer Qkv { ELEMENT qkv[]; };  // (B, NH + 2 NKV, HS)
layout(set = 0, binding = 0, std430) readonly buffer Qkv4 { WORD4 qkv4[]; };
layout(set = 0, binding = 1, std430) readonly buffer Step { STEP_PARAMS_MEMBERS } params;
layout(set = 0, binding = 2, std430) buffer KCache { ELEMENT k_cache[]; };  // (B, NKV, T_max, HS)
layout(set = 0, binding = 2, std430) readonly buffer KCache4 { WORD4 k_cache4[]; };
layout(set = 0, binding = 3, std430) buffer VCache { ELEMENT v_cache[]; };     // (B, NKV, T_max, HS)
layout(set = 0, binding = 4, std430) writeonly buffer Out { ELEMENT result[]; };  // (B, NH, HS)

layout(push_constant) uniform Push {
  uint T_max;
  uint NH;
  uint heads;  // B * NH
  uint NKV;
  uint window;  // 0: all
};

#define UNROLL [[unroll]]
#define MAX_SUBGROUPS (LANES / MIN_SUBGROUP)
#define PARTS ((HS + MIN_SUBGROUP - 1) / MIN_SUBGROUP)  // elements of a row for each lane, at most
#define UNIT (inversesqrt(float(HS)) * 1.4426950408889634)  // scores in units of log 2
#define MASKED -1e38

#if MAX_SUBGROUPS > 1
shared float parts_max[MAX_SUBGROUPS];
shared float parts_sum[MAX_SUBGROUPS];
shared float parts_acc[MAX_SUBGROUPS][HS];
#endif

// The online softmax of this subgroup's positions: the largest score, and relative to it the sum of the
// probabilities and of the values.
float largest = MASKED;
float sum = 0;
float acc[PARTS];

// Element i of this lane's part of a row of HS.
uint element_of(uint i) { return gl_SubgroupInvocationID + i * gl_SubgroupSize; }

// Begins with the token itself in the first subgroup, with nothing in the others; the first query head of a group
// puts its key and value into the cache, where only earlier positions are read: no barrier is needed.
void take_own(uint q_base, uint k_base, uint cache_at, bool stores) {
  const uint v_base = k_base + NKV * HS;
  const bool starts = gl_SubgroupID == 0;
  float own = 0;
  UNROLL for (uint i = 0; i < PARTS; ++i) {
    const uint d = element_of(i);
    acc[i] = 0;
    if (d < HS) {
      own += from_element(qkv[q_base + d]) * from_element(qkv[k_base + d]);
      if (starts) {
        acc[i] = from_element(qkv[v_base + d]);
        if (stores) {
          k_cache[cache_at + d] = qkv[k_base + d];
          v_cache[cache_at + d] = qkv[v_base + d];
        }
      }
    }
  }
  own = subgroupAdd(own) * UNIT;
  if (!starts) return;
  largest = own;
  sum = 1;
}

// Takes the positions from `first` on, as many as the subgroup has lanes, up to `end`.
void take_tile(uint q_base, uint cache_base, uint first, uint end) {
  const uint key = first + gl_SubgroupInvocationID;
  const uint base = cache_base + min(key, end - 1) * HS;
  float s = 0;
  for (uint i = 0; i < HS; i += 4) {
    s += dot(unpack4(qkv4[(q_base + i) / 4]), unpack4(k_cache4[(base + i) / 4]));
  }
  s = key < end ? s * UNIT : MASKED;
  const float new_largest = max(largest, subgroupMax(s));
  const float p = key < end ? exp2(s - new_largest) : 0;
  const float shrink = exp2(largest - new_largest);
  largest = new_largest;
  sum = sum * shrink + subgroupAdd(p);
  UNROLL for (uint i = 0; i < PARTS; ++i) acc[i] *= shrink;
  const uint count = min(gl_SubgroupSize, end - first);
  for (uint j = 0; j < count; ++j) {
    const float weight = subgroupBroadcast(p, j);
    UNROLL for (uint i = 0; i < PARTS; ++i) {
      acc[i] += weight * from_element(v_cache[cache_base + (first + j) * HS + min(element_of(i), HS - 1)]);
    }
  }
}

#if MAX_SUBGROUPS > 1
// Brings the sums of all subgroups into the first one.
void merge_subgroups() {
  UNROLL for (uint i = 0; i < PARTS; ++i) {
    if (element_of(i) < HS) parts_acc[gl_SubgroupID][element_of(i)] = acc[i];
  }
  if (gl_SubgroupInvocationID == 0) {
    parts_max[gl_SubgroupID] = largest;
    parts_sum[gl_SubgroupID] = sum;
  }
  barrier();
  if (gl_SubgroupID != 0) return;
  for (uint other = 1; other < gl_NumSubgroups; ++other) {
    const float new_largest = max(largest, parts_max[other]);
    const float shrink = exp2(largest - new_largest);
    const float grow = exp2(parts_max[other] - new_largest);
    largest = new_largest;
    sum = sum * shrink + parts_sum[other] * grow;
    UNROLL for (uint i = 0; i < PARTS; ++i) {
      acc[i] = acc[i] * shrink + parts_acc[other][min(element_of(i), HS - 1)] * grow;
    }
  }
}
#endif

void main() {
  const uint head = grid_group();  // of all sequences
  if (head >= heads) return;
  const uint b = head / NH;
  const uint h = head % NH;
  const uint kv_head = h / (NH / NKV);
  const uint q_base = (b * (NH + 2 * NKV) + h) * HS;
  const uint k_base = (b * (NH + 2 * NKV) + NH + kv_head) * HS;
  const uint cache_base = (b * NKV + kv_head) * T_max * HS;
  const uint position = min(params.position, T_max - 1);
  const uint first_key = window == 0 ? 0 : position + 1 - min(position + 1, window);

  take_own(q_base, k_base, cache_base + position * HS, h % (NH / NKV) == 0);
  const uint step = gl_NumSubgroups * gl_SubgroupSize;
  for (uint first = first_key + gl_SubgroupID * gl_SubgroupSize; first < position; first += step) {
    take_tile(q_base, cache_base, first, position);
  }
#if MAX_SUBGROUPS > 1
  merge_subgroups();
  if (gl_SubgroupID != 0) return;
#endif
  UNROLL for (uint i = 0; i < PARTS; ++i) {
    if (element_of(i) < HS) result[head * HS + element_of(i)] = to_element(acc[i] / sum);
  }
}
