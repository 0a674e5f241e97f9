#version 460
#extension GL_GOOGLE_include_directive : require
#extension GL_KHR_shader_subgroup_arithmetic : require
#include "element.glsl"
#include "norm_weight.glsl"
#include "subgroup_rows.glsl"

// dx of the LayerNorm over rows of C, one subgroup a row: with g = dy * weight and xhat = (x - mean) * rstd,
//   dx = rstd * (g - mean_c(g) - xhat * mean_c(g * xhat)).
// With RMS there is no mean: xhat = x * rstd, dx = rstd * (g - xhat * mean_c(g * xhat)).
// With ACCUMULATE it is added to dx, which holds the gradient that reaches x along the residual path.
layout(push_constant) uniform Push {
  uint rows;
  uint C;
};
layout(set = 0, binding = 0, std430) readonly buffer DY { ELEMENT dy[]; };        // (rows, C)
layout(set = 0, binding = 1, std430) readonly buffer X { ELEMENT x[]; };          // (rows, C)
layout(set = 0, binding = 2, std430) readonly buffer Weight { float weight[]; };  // (C)
layout(set = 0, binding = 3, std430) readonly buffer Rstd { float rstd[]; };      // (rows)
layout(set = 0, binding = 4, std430) buffer DX { ELEMENT dx[]; };                 // (rows, C)
#ifndef RMS
layout(set = 0, binding = MEAN, std430) readonly buffer Mean { float mean[]; };  // (rows)
#endif

void main() {
  const uint lane = gl_SubgroupInvocationID;
  SUBGROUP_ROW_LOOP(row, rows) {
    const uint base = row * C;
#ifdef RMS
    const float mu = 0.0;
#else
    const float mu = mean[row];
#endif
    const float scale = rstd[row];
    float sum_g = 0.0;
    float sum_g_xhat = 0.0;
    for (uint c = lane; c < C; c += gl_SubgroupSize) {
      const float g = from_element(dy[base + c]) * FACTOR(weight[c]);
      sum_g += g;
      sum_g_xhat += g * ((from_element(x[base + c]) - mu) * scale);
    }
#ifdef RMS
    const float mean_g = 0.0;
#else
    const float mean_g = subgroupAdd(sum_g) / float(C);
#endif
    const float mean_g_xhat = subgroupAdd(sum_g_xhat) / float(C);
    for (uint c = lane; c < C; c += gl_SubgroupSize) {
      const float xhat = (from_element(x[base + c]) - mu) * scale;
      const float g = from_element(dy[base + c]) * FACTOR(weight[c]);
      const float d = (g - mean_g - xhat * mean_g_xhat) * scale;
#ifdef ACCUMULATE
      dx[base + c] = to_element(from_element(dx[base + c]) + d);
#else
      dx[base + c] = to_element(d);
#endif
    }
  }
}
