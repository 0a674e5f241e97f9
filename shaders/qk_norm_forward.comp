#version 460
#extension GL_GOOGLE_include_directive : require
#extension GL_KHR_shader_subgroup_arithmetic : require
#include "element.glsl"
#include "norm_weight.glsl"
#include "subgroup_rows.glsl"

// out = x * rstd * weight over each q and k head, rstd = 1 / sqrt(mean(x^2) + eps) (arXiv:1910.07467); v heads
// are copied. A subgroup a head.
layout(push_constant) uniform Push {
  uint count;  // rows * (NH + 2 NKV)
  uint NH;
  uint NKV;
  uint HS;
  float eps;
};
layout(set = 0, binding = 0, std430) readonly buffer Qkv { ELEMENT qkv[]; };       // (rows, NH + 2 NKV, HS)
layout(set = 0, binding = 1, std430) readonly buffer QWeight { float q_weight[]; };  // (HS)
layout(set = 0, binding = 2, std430) readonly buffer KWeight { float k_weight[]; };  // (HS)
layout(set = 0, binding = 3, std430) writeonly buffer Out { ELEMENT result[]; };   // (rows, NH + 2 NKV, HS)
layout(set = 0, binding = 4, std430) writeonly buffer Rstd { float rstd[]; };      // (rows, NH + NKV)

void main() {
  const uint lane = gl_SubgroupInvocationID;
  SUBGROUP_ROW_LOOP(item, count) {
    const uint head = item % (NH + 2 * NKV);
    const uint row = item / (NH + 2 * NKV);
    const uint base = item * HS;
    if (head >= NH + NKV) {
      for (uint i = lane; i < HS; i += gl_SubgroupSize) result[base + i] = qkv[base + i];
      continue;
    }
    float squares = 0.0;
    for (uint i = lane; i < HS; i += gl_SubgroupSize) {
      const float x = from_element(qkv[base + i]);
      squares += x * x;
    }
    const float scale = inversesqrt(subgroupAdd(squares) / float(HS) + eps);
    for (uint i = lane; i < HS; i += gl_SubgroupSize) {
      const float weight = head < NH ? q_weight[i] : k_weight[i];
      result[base + i] = to_element(from_element(qkv[base + i]) * scale * FACTOR(weight));
    }
    if (lane == 0) rstd[row * (NH + NKV) + head] = scale;
  }
}
