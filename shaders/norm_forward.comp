#version 460
#extension GL_GOOGLE_include_directive : require
#extension GL_KHR_shader_subgroup_arithmetic : require
#include "element.glsl"
#include "norm_weight.glsl"
#include "subgroup_rows.glsl"

// LayerNorm, y = (r - mean) * rstd * weight + bias, or with RMS y = r * rstd * weight, over rows of C, one
// subgroup a row. r is x, or with RESIDUAL the sum x + branch, which is stored too. The variance is taken
// around the mean in a second pass, since a single pass over the squares would cancel. BIAS, MEAN, BRANCH and
// RESIDUAL are the numbers of optional bindings.
layout(push_constant) uniform Push {
  uint rows;
  uint C;
  float eps;
};
layout(set = 0, binding = 0, std430) readonly buffer X { ELEMENT x[]; };          // (rows, C)
layout(set = 0, binding = 1, std430) readonly buffer Weight { float weight[]; };  // (C)
layout(set = 0, binding = 2, std430) writeonly buffer Y { ELEMENT y[]; };         // (rows, C)
layout(set = 0, binding = 3, std430) writeonly buffer Rstd { float rstd[]; };     // (rows)
#ifdef BIAS
layout(set = 0, binding = BIAS, std430) readonly buffer Bias { float bias[]; };  // (C)
#endif
#ifndef RMS
layout(set = 0, binding = MEAN, std430) writeonly buffer Mean { float mean[]; };  // (rows)
#endif
#ifdef RESIDUAL
layout(set = 0, binding = BRANCH, std430) readonly buffer Branch { ELEMENT branch[]; };  // (rows, C)
layout(set = 0, binding = RESIDUAL, std430) writeonly buffer Residual { ELEMENT residual[]; };  // (rows, C)
#endif

// r at i, as it is stored; added anew in every pass rather than read back, so that the residual is only written.
float row_value(uint i) {
#ifdef RESIDUAL
  return from_element(to_element(from_element(x[i]) + from_element(branch[i])));
#else
  return from_element(x[i]);
#endif
}

// r at i at its first use, where it is stored.
float first_row_value(uint i) {
  const float r = row_value(i);
#ifdef RESIDUAL
  residual[i] = to_element(r);
#endif
  return r;
}

float with_bias(float value, uint c) {
#ifdef BIAS
  return value + bias[c];
#else
  return value;
#endif
}

void main() {
  const uint lane = gl_SubgroupInvocationID;
  SUBGROUP_ROW_LOOP(row, rows) {
    const uint base = row * C;
#ifdef RMS
    const float mu = 0.0;
    float squares = 0.0;
    for (uint c = lane; c < C; c += gl_SubgroupSize) {
      const float r = first_row_value(base + c);
      squares += r * r;
    }
#else
    float sum = 0.0;
    for (uint c = lane; c < C; c += gl_SubgroupSize) sum += first_row_value(base + c);
    const float mu = subgroupAdd(sum) / float(C);
    float squares = 0.0;
    for (uint c = lane; c < C; c += gl_SubgroupSize) {
      const float d = row_value(base + c) - mu;
      squares += d * d;
    }
#endif
    const float scale = inversesqrt(subgroupAdd(squares) / float(C) + eps);
    for (uint c = lane; c < C; c += gl_SubgroupSize) {
      y[base + c] = to_element(with_bias((row_value(base + c) - mu) * scale * FACTOR(weight[c]), c));
    }
    if (lane == 0) {
#ifndef RMS
      mean[row] = mu;
#endif
      rstd[row] = scale;
    }
  }
}
