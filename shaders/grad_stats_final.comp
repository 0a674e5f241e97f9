#version 460
#extension GL_GOOGLE_include_directive : require
#extension GL_KHR_shader_subgroup_arithmetic : require
#include "workgroup.glsl"

// {norm, max |x|, NaNs, Infs} of each tensor from the partials of its blocks, one workgroup a tensor.
layout(push_constant) uniform Push {
  uint tensors;
  uint blocks;  // of each tensor
};
layout(set = 0, binding = 0, std430) readonly buffer Partials { vec4 partials[]; };  // (tensors, blocks)
layout(set = 0, binding = 1, std430) writeonly buffer Result { vec4 result[]; };     // (tensors)

void main() {
  const uint tensor = grid_group();
  if (tensor >= tensors) return;
  vec4 total = vec4(0.0);
  for (uint block = gl_LocalInvocationID.x; block < blocks; block += gl_WorkGroupSize.x) {
    const vec4 part = partials[tensor * blocks + block];
    total = vec4(total.x + part.x, max(total.y, part.y), total.zw + part.zw);
  }
  total = vec4(workgroup_sum(total.x), workgroup_max(total.y), workgroup_sum(total.z), workgroup_sum(total.w));
  if (gl_LocalInvocationID.x == 0) result[tensor] = vec4(sqrt(total.x), total.yzw);
}
