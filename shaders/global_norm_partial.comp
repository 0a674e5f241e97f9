#version 460
#extension GL_GOOGLE_include_directive : require
#extension GL_KHR_shader_subgroup_arithmetic : require
#include "float_bits.glsl"
#include "wide_f32.glsl"
#include "workgroup.glsl"

// Sums of squares over blocks of the gradients, one workgroup a block, and whether a block holds NaN or Inf. WIDTH
// divides count and block_size, so there is no tail.
layout(push_constant) uniform Push {
  uint count;
  uint blocks;
  uint block_size;
};
layout(set = 0, binding = 0, std430) readonly buffer Gradients { WIDE_WORD gradients[]; };  // (count)
layout(set = 0, binding = 1, std430) writeonly buffer Partials { float partials[]; };  // (blocks, 2): sum, nonfinite

void main() {
  const uint block = grid_group();
  if (block >= blocks) return;
  const uint end = min(count, (block + 1) * block_size) / WIDTH;
  wide squares = wide(0.0);
  wide_uint largest = wide_uint(0);  // bits of a magnitude
  for (uint i = block * block_size / WIDTH + gl_LocalInvocationID.x; i < end; i += gl_WorkGroupSize.x) {
    const wide g = unpack_wide(gradients[i]);
    squares += g * g;
    largest = max(largest, floatBitsToUint(g) & 0x7fffffff);
  }
  float sum = dot(squares, wide(1.0));
  sum = workgroup_sum(sum);
  const float nonfinite = workgroup_max(is_nonfinite(uintBitsToFloat(largest_of(largest))) ? 1.0 : 0.0);
  if (gl_LocalInvocationID.x == 0) {
    partials[2 * block] = sum;
    partials[2 * block + 1] = nonfinite;
  }
}
