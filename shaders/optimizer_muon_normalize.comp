#version 460
#extension GL_GOOGLE_include_directive : require
#extension GL_KHR_shader_subgroup_arithmetic : require
#include "workgroup.glsl"

// x /= max(|x|, eps), the Frobenius norm, from the sums of optimizer_muon_momentum, added up by every workgroup.
layout(push_constant) uniform Push {
  uint count;
  uint blocks;
  uint block_size;
  uint partial_count;
  float eps;
};
layout(set = 0, binding = 0, std430) buffer X { float x[]; };                         // (count)
layout(set = 0, binding = 1, std430) readonly buffer Partials { float partials[]; };  // (partial_count)

void main() {
  const uint block = grid_group();
  if (block >= blocks) return;
  float sum = 0.0;
  for (uint i = gl_LocalInvocationID.x; i < partial_count; i += gl_WorkGroupSize.x) sum += partials[i];
  const float scale = 1.0 / max(sqrt(workgroup_sum(sum)), eps);
  const uint end = min(count, (block + 1) * block_size);
  for (uint i = block * block_size + gl_LocalInvocationID.x; i < end; i += gl_WorkGroupSize.x) x[i] *= scale;
}
