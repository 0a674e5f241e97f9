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
#ifdef WEIGHTS
layout(set = 0, binding = WEIGHTS, std430) readonly buffer Weights { float weights[]; };  // as the losses
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

const uvec4 kLanes = uvec4(0, 1, 2, 3);

uint words() { return Vp / kWordElements; }
uint first_column(uint word, uint part) { return word * kWordElements + 4 * part; }

ROW_WORD held[WORDS];

// Holds this invocation's words of the row that begins at `base`, and gives its largest z.
float load_row(uint base) {
  vec4 largest = vec4(kLowest);
  UNROLL for (uint w = 0; w < WORDS; ++w) {
    const uint i = gl_LocalInvocationID.x + w * gl_WorkGroupSize.x;
    held[w] = ROW_WORD(0);
    if (i < words()) {
      held[w] = logits[base + i];
      UNROLL for (uint p = 0; p < PARTS; ++p) {
        const bvec4 is_real = lessThan(first_column(i, p) + kLanes, uvec4(V));
        largest = max(largest, mix(vec4(kLowest), z_of(part_of(held[w], p)), is_real));
      }
    }
  }
  return max(max(largest.x, largest.y), max(largest.z, largest.w));
}

struct Sums {
  float of_exp;  // of exp(z - largest)
  float below;   // of z - largest
  float target;  // z - largest of the target, one element among zeros
};

// This invocation's.
Sums sums_of_row(uint target, float largest) {
  vec4 of_exp = vec4(0.0), below = vec4(0.0), at_target = vec4(0.0);
  UNROLL for (uint w = 0; w < WORDS; ++w) {
    const uint i = gl_LocalInvocationID.x + w * gl_WorkGroupSize.x;
    if (i < words()) {
      UNROLL for (uint p = 0; p < PARTS; ++p) {
        const uvec4 c = first_column(i, p) + kLanes;
        const bvec4 is_real = lessThan(c, uvec4(V));
        const vec4 z = z_of(part_of(held[w], p)) - largest;
        of_exp += mix(vec4(0.0), exp(z), is_real);
        below += mix(vec4(0.0), z, is_real);
        at_target += mix(vec4(0.0), z, equal(c, uvec4(target)));
      }
    }
  }
  return Sums(sum_of(of_exp), sum_of(below), sum_of(at_target));
}

#ifdef BACKWARD
// dlogits = exp(z - largest) * scale - everywhere, less at_target where the target is, through the softcap.
void write_gradients(uint base, uint target, float largest, float scale, float at_target, float everywhere) {
  UNROLL for (uint w = 0; w < WORDS; ++w) {
    const uint i = gl_LocalInvocationID.x + w * gl_WorkGroupSize.x;
    if (i < words()) {
      ROW_WORD result = ROW_WORD(0);
      UNROLL for (uint p = 0; p < PARTS; ++p) {
        const uvec4 c = first_column(i, p) + kLanes;
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
}
#endif

void main() {
  const uint row = grid_group();
  if (row >= rows) return;
  const uint base = row * words();
  const uint local = gl_LocalInvocationID.x;
  const uint target = uint(targets[first_row + row]);
  if (target >= V) {
    if (local == 0) losses[first_row + row] = 0.0;
#ifdef BACKWARD
    for (uint i = local; i < words(); i += gl_WorkGroupSize.x) logits[base + i] = ROW_WORD(0);
#endif
    return;
  }

  const float largest = workgroup_max(load_row(base));
  const Sums own = sums_of_row(target, largest);
  const float sum = workgroup_sum(own.of_exp);
  const float z_target = workgroup_sum(own.target);
#ifdef SHAPED
  const float mean_below = workgroup_sum(own.below) / float(V);
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
  float upstream = grad_scale;
#ifdef LOSS_SCALE
  upstream *= uintBitsToFloat(loss_scale[0]);
#endif
#ifdef WEIGHTS
  upstream *= weights[first_row + row];
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
  write_gradients(base, target, largest, scale, at_target, everywhere);
#endif
}
