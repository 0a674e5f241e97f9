#version 460
#extension GL_GOOGLE_include_directive : require
#extension GL_KHR_shader_subgroup_arithmetic : require
#include "float_bits.glsl"
#include "workgroup.glsl"

// Sums of squares over blocks of the gradients, one workgroup a block, and whether a block holds NaN or Inf.
layout(push_constant) uniform Push {
  uint count;
  uint blocks;
  uint block_size;
};
layout(set = 0, binding = 0, std430) readonly buffer Gradients { float gradients[]; };  // (count)
layout(set = 0, binding = 1, std430) writeonly buffer Partials { float partials[]; };  // (blocks, 2): sum, nonfinite

void main() {
  const uint block = grid_group();
  if (block >= blocks) return;
  const uint end = min(count, (block + 1) * block_size);
  float sum = 0.0;
  float nonfinite = 0.0;
  for (uint i = block * block_size + gl_LocalInvocationID.x; i < end; i += gl_WorkGroupSize.x) {
    const float g = gradients[i];
    sum += g * g;
    if (is_nonfinite(g)) nonfinite = 1.0;
  }
  sum = workgroup_sum(sum);
  nonfinite = workgroup_max(nonfinite);
  if (gl_LocalInvocationID.x == 0) {
    partials[2 * block] = sum;
    partials[2 * block + 1] = nonfinite;
  }
}
