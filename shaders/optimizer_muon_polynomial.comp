#version 460
#extension GL_GOOGLE_include_directive : require
#extension GL_KHR_shader_subgroup_basic : require
#include "subgroup_rows.glsl"

// squared = a I + b gram + c squared, of matrices (n, n). The a on the diagonal saves the pass a X + (...) X.
layout(push_constant) uniform Push {
  uint rows;
  uint first;  // row of the matrices with which the slice begins
  uint n;
  float a;
  float b;
  float c;
};
layout(set = 0, binding = 0, std430) readonly buffer Gram { float gram[]; };  // (rows, n)
layout(set = 0, binding = 1, std430) buffer Squared { float squared[]; };     // (rows, n)

void main() {
  SUBGROUP_ROW_LOOP(row, rows) {
    for (uint column = gl_SubgroupInvocationID; column < n; column += gl_SubgroupSize) {
      const uint i = row * n + column;
      squared[i] = b * gram[i] + c * squared[i] + (column == first + row ? a : 0.0);
    }
  }
}
