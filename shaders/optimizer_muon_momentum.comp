#version 460
#extension GL_GOOGLE_include_directive : require
#extension GL_KHR_shader_subgroup_arithmetic : require
#include "workgroup.glsl"

// Momentum of a matrix, b = mu b + (1 - mu) g, its Nesterov form u = mu b + (1 - mu) g, and sums of u^2 over
// blocks, one workgroup a block. A step that global_norm_clip marks as not finite leaves the momentum as it is,
// and the kernels after this one then have no effect.
layout(push_constant) uniform Push {
  uint count;
  uint lead;  // elements of the arenas' ranges before the first of the slice
  uint blocks;
  uint block_size;
  uint first_block;  // place of the slice's sums
  float mu;
  float one_minus_mu;
};
layout(set = 0, binding = 0, std430) readonly buffer Gradients { float gradients[]; };  // (lead + count)
layout(set = 0, binding = 1, std430) buffer Momentum { float momentum[]; };             // (lead + count)
layout(set = 0, binding = 2, std430) writeonly buffer X { float x[]; };                 // (count)
layout(set = 0, binding = 3, std430) writeonly buffer Partials { float partials[]; };   // (blocks of all slices)
layout(set = 0, binding = 4, std430) readonly buffer Norm { uint norm[4]; };            // see global_norm_clip

void main() {
  const uint block = grid_group();
  if (block >= blocks || norm[2] != 0) return;
  const float clip_scale = uintBitsToFloat(norm[1]);
  const uint end = min(count, (block + 1) * block_size);
  float sum = 0.0;
  for (uint i = block * block_size + gl_LocalInvocationID.x; i < end; i += gl_WorkGroupSize.x) {
    const float g = gradients[lead + i] * clip_scale;
    const float b = mu * momentum[lead + i] + one_minus_mu * g;
    const float u = mu * b + one_minus_mu * g;
    momentum[lead + i] = b;
    x[i] = u;
    sum += u * u;
  }
  sum = workgroup_sum(sum);
  if (gl_LocalInvocationID.x == 0) partials[first_block + block] = sum;
}
