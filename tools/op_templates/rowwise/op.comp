#version 460
#extension GL_GOOGLE_include_directive : require
#extension GL_KHR_shader_subgroup_arithmetic : require
#include "element.glsl"
#include "subgroup_rows.glsl"

// Rows of C, a subgroup a row: y = x * rstd with rstd = 1 / sqrt(mean(x^2) + eps). With BACKWARD the gradient,
// dx = rstd * (dy - y * mean(dy * y)).
layout(push_constant) uniform Push {
  uint rows;
  uint C;
  float eps;
};
layout(set = 0, binding = 0, std430) readonly buffer X { ELEMENT x[]; };     // (rows, C)
#ifdef BACKWARD
layout(set = 0, binding = 1, std430) readonly buffer DY { ELEMENT dy[]; };   // (rows, C)
layout(set = 0, binding = 2, std430) writeonly buffer DX { ELEMENT dx[]; };  // (rows, C)
#else
layout(set = 0, binding = 1, std430) writeonly buffer Y { ELEMENT y[]; };    // (rows, C)
#endif

void main() {
  const uint lane = gl_SubgroupInvocationID;
  SUBGROUP_ROW_LOOP(row, rows) {
    const uint base = row * C;
    float squares = 0.0;
    for (uint c = lane; c < C; c += gl_SubgroupSize) {
      const float v = from_element(x[base + c]);
      squares += v * v;
    }
    const float rstd = inversesqrt(subgroupAdd(squares) / float(C) + eps);
#ifdef BACKWARD
    float products = 0.0;
    for (uint c = lane; c < C; c += gl_SubgroupSize) {
      products += from_element(dy[base + c]) * (from_element(x[base + c]) * rstd);
    }
    const float mean = subgroupAdd(products) / float(C);
    for (uint c = lane; c < C; c += gl_SubgroupSize) {
      const float value = from_element(x[base + c]) * rstd;
      dx[base + c] = to_element(rstd * (from_element(dy[base + c]) - value * mean));
    }
#else
    for (uint c = lane; c < C; c += gl_SubgroupSize) {
      y[base + c] = to_element(from_element(x[base + c]) * rstd);
    }
#endif
  }
}
