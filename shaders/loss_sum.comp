#version 460
#extension GL_GOOGLE_include_directive : require
#extension GL_KHR_shader_subgroup_arithmetic : require
#include "workgroup.glsl"

// Adds the losses of the rows that count (target >= 0) and their number to the accumulator; one workgroup.
layout(push_constant) uniform Push { uint rows; };
layout(set = 0, binding = 0, std430) readonly buffer Losses { float losses[]; };      // (rows)
layout(set = 0, binding = 1, std430) readonly buffer Targets { int targets[]; };      // (rows)
layout(set = 0, binding = 2, std430) buffer Accumulator { uint accumulator[2]; };     // bits of the sum, count

void main() {
  if (grid_group() != 0) return;
  float sum = 0.0;
  float counted = 0.0;  // exact: one reduction sees fewer than 2^24 rows
  for (uint row = gl_LocalInvocationID.x; row < rows; row += gl_WorkGroupSize.x) {
    if (targets[row] < 0) continue;
    sum += losses[row];
    counted += 1.0;
  }
  sum = workgroup_sum(sum);
  counted = workgroup_sum(counted);
  if (gl_LocalInvocationID.x == 0) {
    accumulator[0] = floatBitsToUint(uintBitsToFloat(accumulator[0]) + sum);
    accumulator[1] += uint(counted);
  }
}
