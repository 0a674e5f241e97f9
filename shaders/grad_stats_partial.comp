#version 460
#extension GL_GOOGLE_include_directive : require
#extension GL_KHR_shader_subgroup_arithmetic : require
#include "element.glsl"
#include "float_bits.glsl"
#include "workgroup.glsl"

// {sum of squares, max |x|, NaNs, Infs} over blocks of a tensor, one workgroup a block; sum and max skip
// non-finite values. With ACCUMULATE the partials of an earlier slice of the tensor are included.
layout(push_constant) uniform Push {
  uint count;
  uint blocks;
  uint block_size;
};
layout(set = 0, binding = 0, std430) readonly buffer X { ELEMENT x[]; };      // (count)
layout(set = 0, binding = 1, std430) buffer Partials { vec4 partials[]; };  // (blocks)

void main() {
  const uint block = grid_group();
  if (block >= blocks) return;
  const uint end = min(count, (block + 1) * block_size);
  float sum = 0.0;
  float largest = 0.0;
  float nans = 0.0;
  float infs = 0.0;
  for (uint i = block * block_size + gl_LocalInvocationID.x; i < end; i += gl_WorkGroupSize.x) {
    const float value = from_element(x[i]);
    if (is_nonfinite(value)) {
      nans += is_nan_bits(value) ? 1.0 : 0.0;
      infs += is_inf_bits(value) ? 1.0 : 0.0;
    } else {
      sum += value * value;
      largest = max(largest, abs(value));
    }
  }
  vec4 total = vec4(workgroup_sum(sum), workgroup_max(largest), workgroup_sum(nans), workgroup_sum(infs));
  if (gl_LocalInvocationID.x != 0) return;
#ifdef ACCUMULATE
  const vec4 earlier = partials[block];
  total = vec4(total.x + earlier.x, max(total.y, earlier.y), total.zw + earlier.zw);
#endif
  partials[block] = total;
}
