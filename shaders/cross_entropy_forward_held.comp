#version 460
#extension GL_GOOGLE_include_directive : require
#extension GL_KHR_shader_subgroup_arithmetic : require
#include "row_words.glsl"
#include "softcap.glsl"
#include "workgroup.glsl"

// cross_entropy_forward.comp for GPUs: a workgroup holds its row in registers, WORDS words an invocation, so that the
// logits are read once and, with BACKWARD, written once. Vp is a multiple of a word.
layout(push_constant) uniform Push {
  uint rows;
  uint V;
  uint Vp;
  uint first_row;  // place of the rows among the targets and losses
  float grad_scale;
  float cap;
  float smoothing;
  float z_loss;
};
layout(set = 0, binding = 0, std430)
#ifndef BACKWARD
    readonly
#endif
    buffer Logits { ROW_WORD logits[]; };                                          // (rows, Vp)
layout(set = 0, binding = 1, std430) readonly buffer Targets { int targets[]; };   // (>= first_row + rows)
layout(set = 0, binding = 2, std430) writeonly buffer Losses { float losses[]; };  // (>= first_row + rows)
#ifdef LOSS_SCALE
layout(set = 0, binding = LOSS_SCALE, std430) readonly buffer LossScale { uint loss_scale[]; };
#endif

const float kLowest = -3.4028234e38;

// What is classified, of four logits.
vec4 z_of(vec4 x) {
#ifdef SOFTCAP
  return vec4(softcap(x.x, cap), softcap(x.y, cap), softcap(x.z, cap), softcap(x.w, cap));
#else
  return x;
#endif
}

void main() {
  const uint row = grid_group();
  if (row >= rows) return;
  const uint words = Vp / kWordElements;
  const uint base = row * words;
  const uint local = gl_LocalInvocationID.x;
  const uint target = uint(targets[first_row + row]);
  if (target >= V) {
    if (local == 0) losses[first_row + row] = 0.0;
#ifdef BACKWARD
    for (uint i = local; i < words; i += gl_WorkGroupSize.x) logits[base + i] = ROW_WORD(0);
#endif
    return;
  }

  const uvec4 kLanes = uvec4(0, 1, 2, 3);
  ROW_WORD held[WORDS];
  vec4 largest4 = vec4(kLowest);
  UNROLL for (uint w = 0; w < WORDS; ++w) {
    const uint i = local + w * gl_WorkGroupSize.x;
    held[w] = ROW_WORD(0);
    if (i < words) {
      held[w] = logits[base + i];
      UNROLL for (uint p = 0; p < PARTS; ++p) {
        const uvec4 c = i * kWordElements + 4 * p + kLanes;
        largest4 = max(largest4, mix(vec4(kLowest), z_of(part_of(held[w], p)), lessThan(c, uvec4(V))));
      }
    }
  }
  const float largest = workgroup_max(max(max(largest4.x, largest4.y), max(largest4.z, largest4.w)));

  vec4 sum4 = vec4(0.0);
  vec4 below4 = vec4(0.0);   // sum of z - largest
  vec4 target4 = vec4(0.0);  // z - largest of the target, one element among zeros
  UNROLL for (uint w = 0; w < WORDS; ++w) {
    const uint i = local + w * gl_WorkGroupSize.x;
    if (i < words) {
      UNROLL for (uint p = 0; p < PARTS; ++p) {
        const uvec4 c = i * kWordElements + 4 * p + kLanes;
        const bvec4 is_real = lessThan(c, uvec4(V));
        const vec4 z = z_of(part_of(held[w], p)) - largest;
        sum4 += mix(vec4(0.0), exp(z), is_real);
        below4 += mix(vec4(0.0), z, is_real);
        target4 += mix(vec4(0.0), z, equal(c, uvec4(target)));
      }
    }
  }
  const float sum = workgroup_sum(sum_of(sum4));
  const float z_target = workgroup_sum(sum_of(target4));
#ifdef SHAPED
  const float mean_below = workgroup_sum(sum_of(below4)) / float(V);
  const float lse = largest + log(sum);
#endif
  if (local == 0) {
#ifdef SHAPED
    losses[first_row + row] =
        (1.0 - smoothing) * (log(sum) - z_target) + smoothing * (log(sum) - mean_below) + z_loss * lse * lse;
#else
    losses[first_row + row] = log(sum) - z_target;
#endif
  }
#ifdef BACKWARD
#ifdef LOSS_SCALE
  const float upstream = grad_scale * uintBitsToFloat(loss_scale[0]);
#else
  const float upstream = grad_scale;
#endif
#ifdef SHAPED
  const float scale = upstream / sum * (1.0 + 2.0 * z_loss * lse);
  const float at_target = upstream * (1.0 - smoothing);
  const float everywhere = upstream * smoothing / float(V);
#else
  const float scale = upstream / sum;
  const float at_target = upstream;
  const float everywhere = 0.0;
#endif
  UNROLL for (uint w = 0; w < WORDS; ++w) {
    const uint i = local + w * gl_WorkGroupSize.x;
    if (i < words) {
      ROW_WORD result = ROW_WORD(0);
      UNROLL for (uint p = 0; p < PARTS; ++p) {
        const uvec4 c = i * kWordElements + 4 * p + kLanes;
        const vec4 x = part_of(held[w], p);
        vec4 d = exp(z_of(x) - largest) * scale - everywhere;
        d -= mix(vec4(0.0), vec4(at_target), equal(c, uvec4(target)));
#ifdef SOFTCAP
        d *= vec4(softcap_grad(x.x, cap), softcap_grad(x.y, cap), softcap_grad(x.z, cap), softcap_grad(x.w, cap));
#endif
        result = with_part(result, p, mix(vec4(0.0), d, lessThan(c, uvec4(V))));
      }
      logits[base + i] = result;
    }
  }
#endif
}
