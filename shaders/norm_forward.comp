#version 460
#extension GL_GOOGLE_include_directive : require
#extension GL_KHR_shader_subgroup_arithmetic : require
#include "subgroup_rows.glsl"

// y = (r - mean) * rstd * weight + bias over rows of C, one subgroup a row. r is x, or with RESIDUAL the sum
// x + branch, which is stored too. The variance is taken around the mean in a second pass: one pass over the
// squares would cancel.
layout(push_constant) uniform Push {
  uint rows;
  uint C;
  float eps;
};
layout(set = 0, binding = 0, std430) readonly buffer X { float x[]; };            // (rows, C)
layout(set = 0, binding = 1, std430) readonly buffer Weight { float weight[]; };  // (C)
layout(set = 0, binding = 2, std430) readonly buffer Bias { float bias[]; };      // (C)
layout(set = 0, binding = 3, std430) writeonly buffer Y { float y[]; };           // (rows, C)
layout(set = 0, binding = 4, std430) writeonly buffer Mean { float mean[]; };     // (rows)
layout(set = 0, binding = 5, std430) writeonly buffer Rstd { float rstd[]; };     // (rows)
#ifdef RESIDUAL
layout(set = 0, binding = 6, std430) readonly buffer Branch { float branch[]; };  // (rows, C)
layout(set = 0, binding = 7, std430) buffer Residual { float residual[]; };       // (rows, C)
#define ROW_VALUE(i) residual[i]
#else
#define ROW_VALUE(i) x[i]
#endif

void main() {
  const uint lane = gl_SubgroupInvocationID;
  SUBGROUP_ROW_LOOP(row, rows) {
    const uint base = row * C;
    float sum = 0.0;
    for (uint c = lane; c < C; c += gl_SubgroupSize) {
#ifdef RESIDUAL
      const float r = x[base + c] + branch[base + c];
      residual[base + c] = r;
#else
      const float r = x[base + c];
#endif
      sum += r;
    }
    const float mu = subgroupAdd(sum) / float(C);
    float squares = 0.0;
    for (uint c = lane; c < C; c += gl_SubgroupSize) {
      const float d = ROW_VALUE(base + c) - mu;
      squares += d * d;
    }
    const float scale = inversesqrt(subgroupAdd(squares) / float(C) + eps);
    for (uint c = lane; c < C; c += gl_SubgroupSize) {
      y[base + c] = (ROW_VALUE(base + c) - mu) * scale * weight[c] + bias[c];
    }
    if (lane == 0) {
      mean[row] = mu;
      rstd[row] = scale;
    }
  }
}
