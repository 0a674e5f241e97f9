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

void main() {
  uint head = grid_group();  // of all sequences
  if (head >= heads) return;
  uint lane = gl_SubgroupInvocationID;
  uint width = gl_SubgroupSize;
  uint b = head / NH;
  uint h = head % NH;
  uint kv_head = h / (NH / NKV);
  uint q_base = (b * (NH + 2 * NKV) + h) * HS;
  uint k_base = (b * (NH + 2 * NKV) + NH + kv_head) * HS;
  uint v_base = k_base + NKV * HS;
  uint cache_base = (b * NKV + kv_head) * T_max * HS;
  uint position = min(params.position, T_max - 1);
  uint first_key = window == 0 ? 0 : position + 1 - min(position + 1, window);

  // The first subgroup starts from the token itself, the others from nothing.
  bool starts = gl_SubgroupID == 0;
  float own = 0;
  float acc[PARTS];
  UNROLL for (uint i = 0; i < PARTS; ++i) {
    uint d = lane + i * width;
    acc[i] = 0;
    if (d < HS) {
      own += from_element(qkv[q_base + d]) * from_element(qkv[k_base + d]);
      if (starts) {
        acc[i] = from_element(qkv[v_base + d]);
        // One head of a group stores its key. Only earlier positions are read below, so no barrier is needed.
        if (h % (NH / NKV) == 0) {
          k_cache[cache_base + position * HS + d] = qkv[k_base + d];
          v_cache[cache_base + position * HS + d] = qkv[v_base + d];
        }
      }
    }
  }
  own = subgroupAdd(own) * UNIT;
  float largest = starts ? own : MASKED;
  float sum = starts ? 1 : 0;

  for (uint first = first_key + gl_SubgroupID * width; first < position; first += gl_NumSubgroups * width) {
    uint key = first + lane;
    uint base = cache_base + min(key, position - 1) * HS;
    float s = 0;
    for (uint i = 0; i < HS; i += 4) {
      s += dot(unpack4(qkv4[(q_base + i) / 4]), unpack4(k_cache4[(base + i) / 4]));
    }
    s = key < position ? s * UNIT : MASKED;
    float new_largest = max(largest, subgroupMax(s));
    float p = key < position ? exp2(s - new_largest) : 0;
    float shrink = exp2(largest - new_largest);
    largest = new_largest;
    sum = sum * shrink + subgroupAdd(p);
    UNROLL for (uint i = 0; i < PARTS; ++i) acc[i] *= shrink;
    uint count = min(width, position - first);
    for (uint j = 0; j < count; ++j) {
      float weight = subgroupBroadcast(p, j);
      UNROLL for (uint i = 0; i < PARTS; ++i) {
        uint d = min(lane + i * width, HS - 1);
        acc[i] += weight * from_element(v_cache[cache_base + (first + j) * HS + d]);
      }
    }
  }

#if MAX_SUBGROUPS > 1
  UNROLL for (uint i = 0; i < PARTS; ++i) {
    uint d = lane + i * width;
    if (d < HS) parts_acc[gl_SubgroupID][d] = acc[i];
  }
  if (lane == 0) {
    parts_max[gl_SubgroupID] = largest;
    parts_sum[gl_SubgroupID] = sum;
  }
  barrier();
  if (!starts) return;
  for (uint other = 1; other < gl_NumSubgroups; ++other) {
    float new_largest = max(largest, parts_max[other]);
    float shrink = exp2(largest - new_largest);
    float grow = exp2(parts_max[other] - new_largest);
    largest = new_largest;
    sum = sum * shrink + parts_sum[other] * grow;
    UNROLL for (uint i = 0; i < PARTS; ++i) {
      acc[i] = acc[i] * shrink + parts_acc[other][min(lane + i * width, HS - 1)] * grow;
    }
  }
#endif
  UNROLL for (uint i = 0; i < PARTS; ++i) {
    uint d = lane + i * width;
    if (d < HS) result[head * HS + d] = to_element(acc[i] / sum);
  }
}
