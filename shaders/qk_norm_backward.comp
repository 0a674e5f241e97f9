#version 460
#extension GL_GOOGLE_include_directive : require
#extension GL_KHR_shader_subgroup_arithmetic : require
#include "element.glsl"
#include "norm_weight.glsl"
#include "subgroup_rows.glsl"

// The gradient of qk_norm_forward's input: with g = dy * weight and xhat = x * rstd,
//   dx = rstd * (g - xhat * mean(g * xhat));
// v heads are copied. A subgroup a head.
layout(push_constant) uniform Push {
  uint count;  // rows * (NH + 2 NKV)
  uint NH;
  uint NKV;
  uint HS;
};
layout(set = 0, binding = 0, std430) readonly buffer Dout { ELEMENT dout[]; };       // (rows, NH + 2 NKV, HS)
layout(set = 0, binding = 1, std430) readonly buffer Qkv { ELEMENT qkv[]; };         // (rows, NH + 2 NKV, HS)
layout(set = 0, binding = 2, std430) readonly buffer QWeight { float q_weight[]; };  // (HS)
layout(set = 0, binding = 3, std430) readonly buffer KWeight { float k_weight[]; };  // (HS)
layout(set = 0, binding = 4, std430) readonly buffer Rstd { float rstd[]; };         // (rows, NH + NKV)
layout(set = 0, binding = 5, std430) writeonly buffer Dqkv { ELEMENT dqkv[]; };      // (rows, NH + 2 NKV, HS)

float factor_at(uint head, uint i) { return FACTOR(head < NH ? q_weight[i] : k_weight[i]); }

void main() {
  const uint lane = gl_SubgroupInvocationID;
  SUBGROUP_ROW_LOOP(item, count) {
    const uint head = item % (NH + 2 * NKV);
    const uint row = item / (NH + 2 * NKV);
    const uint base = item * HS;
    if (head >= NH + NKV) {
      for (uint i = lane; i < HS; i += gl_SubgroupSize) dqkv[base + i] = dout[base + i];
      continue;
    }
    const float scale = rstd[row * (NH + NKV) + head];
    float sum = 0.0;
    for (uint i = lane; i < HS; i += gl_SubgroupSize) {
      sum += from_element(dout[base + i]) * factor_at(head, i) * (from_element(qkv[base + i]) * scale);
    }
    const float mean = subgroupAdd(sum) / float(HS);
    for (uint i = lane; i < HS; i += gl_SubgroupSize) {
      const float g = from_element(dout[base + i]) * factor_at(head, i);
      const float xhat = from_element(qkv[base + i]) * scale;
      dqkv[base + i] = to_element((g - xhat * mean) * scale);
    }
  }
}
