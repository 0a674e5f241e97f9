#version 460
#extension GL_GOOGLE_include_directive : require
#include "element.glsl"
#include "elementwise.glsl"

// The reduction of split-K for dx: the sums of each part of K, added in their order, are dx, or with ACCUMULATE are
// added to it (src/ops/matmul/matmul_parts.hpp).

layout(set = 0, binding = 0, std430) readonly buffer Parts { float parts[]; };  // (splits, stride)
layout(set = 0, binding = 1, std430) buffer C { ELEMENT c[]; };                 // (count)
layout(push_constant) uniform Push {
  uint count;
  uint splits;
  uint stride;
};

void main() {
  ELEMENTWISE_LOOP(i, count) {
    float sum = parts[i];
    for (uint s = 1; s < splits; ++s) sum += parts[s * stride + i];
#ifdef ACCUMULATE
    sum += from_element(c[i]);
#endif
    c[i] = to_element(sum);
  }
}
