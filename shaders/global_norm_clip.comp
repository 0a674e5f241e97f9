#version 460
#extension GL_GOOGLE_include_directive : require
#extension GL_KHR_shader_subgroup_arithmetic : require
#include "float_bits.glsl"
#include "workgroup.glsl"

// norm = sqrt of the sum of the partials, clip_scale = min(1, clip / (norm + 1e-6)) (1 without clipping, that
// is, clip <= 0), and the flag that makes the optimizer skip the step: a NaN or Inf among the gradients, in
// their norm or (with LOSS) in the loss. With LOSS_SCALE the gradients are those of the loss times a scale, a
// power of two: the norm excludes it and the clip scale divides by it. With `positions` (and LOSS) the gradients are
// those of the losses' sum / positions, norm and clip scale make them those of the mean over the rows that counted.
// One workgroup.
layout(push_constant) uniform Push {
  uint blocks;
  float clip;
  float positions;  // 0: none
};
layout(set = 0, binding = 0, std430) readonly buffer Partials { float partials[]; };  // (blocks, 2): sum, nonfinite
// bits of the norm, bits of the clip scale, 1 to skip the step, steps skipped so far
layout(set = 0, binding = 1, std430) buffer Norm { uint norm[4]; };
#ifdef LOSS
layout(set = 0, binding = 2, std430) readonly buffer Accumulator { uint accumulator[2]; };  // see loss_sum
#endif
#ifdef LOSS_SCALE
layout(set = 0, binding = LOSS_SCALE, std430) readonly buffer LossScale { uint loss_scale[4]; };  // see loss_scale_update
#endif

void main() {
  if (grid_group() != 0) return;
  float sum = 0.0;
  float nonfinite = 0.0;
  for (uint block = gl_LocalInvocationID.x; block < blocks; block += gl_WorkGroupSize.x) {
    sum += partials[2 * block];
    nonfinite = max(nonfinite, partials[2 * block + 1]);
  }
  sum = workgroup_sum(sum);
  nonfinite = workgroup_max(nonfinite);
  if (gl_LocalInvocationID.x != 0) return;

  bool skip = nonfinite > 0.0 || is_nonfinite(sum);
#ifdef LOSS
  skip = skip || is_nonfinite(uintBitsToFloat(accumulator[0]));
#endif
  float unscale = 1.0;
#ifdef LOSS_SCALE
  unscale = 1.0 / uintBitsToFloat(loss_scale[0]);
#endif
#ifdef LOSS
  if (positions > 0.0) unscale *= positions / float(max(accumulator[1], 1));
#endif
  const float total = sqrt(sum) * unscale;
  norm[0] = floatBitsToUint(total);
  norm[1] = floatBitsToUint(clip > 0.0 ? min(1.0, clip / (total + 1e-6)) * unscale : unscale);
  norm[2] = uint(skip);
  norm[3] += uint(skip);
}
