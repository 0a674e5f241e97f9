#version 460
#extension GL_GOOGLE_include_directive : require
#extension GL_KHR_shader_subgroup_arithmetic : require
#include "element.glsl"
#include "softcap.glsl"
#include "workgroup.glsl"

// loss = log(sum_c exp(z[c])) - z[target] over the V real columns, one workgroup a row; the maximum is subtracted
// first. z are the logits, with SOFTCAP cap * tanh(logits / cap). With SHAPED the objective is
//   (1 - smoothing) * loss + smoothing * (lse - mean_c(z)) + z_loss * lse^2.
// With BACKWARD the row becomes its gradient in place:
//   dz = (softmax - onehot) * upstream, with SHAPED
//        (softmax * (1 + 2 z_loss lse) - (1 - smoothing) onehot - smoothing / V) * upstream;
//   dlogits = dz * dz/dlogits, and 0 in the padding.
// upstream is grad_scale, with LOSS_SCALE and WEIGHTS (the numbers of their bindings) times that and the row's weight. A row whose target is no
// column (negative: ignored) has loss 0 and gradient 0.
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
    buffer Logits { ELEMENT logits[]; };                                           // (rows, Vp)
layout(set = 0, binding = 1, std430) readonly buffer Targets { int targets[]; };   // (>= first_row + rows)
layout(set = 0, binding = 2, std430) writeonly buffer Losses { float losses[]; };  // (>= first_row + rows)
#ifdef LOSS_SCALE
layout(set = 0, binding = LOSS_SCALE, std430) readonly buffer LossScale { uint loss_scale[]; };
#endif
#ifdef WEIGHTS
layout(set = 0, binding = WEIGHTS, std430) readonly buffer Weights { float weights[]; };  // as the losses
#endif

// z at i.
float z_at(uint i) {
#ifdef SOFTCAP
  return softcap(from_element(logits[i]), cap);
#else
  return from_element(logits[i]);
#endif
}

#ifdef BACKWARD
// Overwrites the row from `base` on with its gradient.
void differentiate(uint row, uint base, uint target, float largest, float sum) {
  float upstream = grad_scale;
#ifdef LOSS_SCALE
  upstream *= uintBitsToFloat(loss_scale[0]);
#endif
#ifdef WEIGHTS
  upstream *= weights[first_row + row];
#endif
#ifdef SHAPED
  const float scale = upstream / sum * (1.0 + 2.0 * z_loss * (largest + log(sum)));
  const float at_target = upstream * (1.0 - smoothing);
  const float everywhere = upstream * smoothing / float(V);
#else
  const float scale = upstream / sum;
  const float at_target = upstream;
#endif
  for (uint c = gl_LocalInvocationID.x; c < Vp; c += gl_WorkGroupSize.x) {
    float d = 0.0;
    if (c < V) {
      d = exp(z_at(base + c) - largest) * scale;
#ifdef SHAPED
      d -= everywhere;
#endif
      if (c == target) d -= at_target;
#ifdef SOFTCAP
      d *= softcap_grad(from_element(logits[base + c]), cap);
#endif
    }
    logits[base + c] = to_element(d);
  }
}
#endif

const float kLowest = -3.4028234e38;

void main() {
  const uint row = grid_group();
  if (row >= rows) return;
  const uint base = row * Vp;
  const uint local = gl_LocalInvocationID.x;
  const uint target = uint(targets[first_row + row]);
  if (target >= V) {
    if (local == 0) losses[first_row + row] = 0.0;
#ifdef BACKWARD
    for (uint c = local; c < Vp; c += gl_WorkGroupSize.x) logits[base + c] = to_element(0.0);
#endif
    return;
  }

  float largest = kLowest;
  for (uint c = local; c < V; c += gl_WorkGroupSize.x) largest = max(largest, z_at(base + c));
  largest = workgroup_max(largest);
  float sum = 0.0;
  float below = 0.0;  // sum of z - largest
  for (uint c = local; c < V; c += gl_WorkGroupSize.x) {
    const float z = z_at(base + c) - largest;
    sum += exp(z);
    below += z;
  }
  sum = workgroup_sum(sum);
#ifdef SHAPED
  const float mean_below = workgroup_sum(below) / float(V);
  const float lse = largest + log(sum);
#endif

  // The invocation that owns the target's column reads it before overwriting it below.
  if (target % gl_WorkGroupSize.x == local) {
    const float z = z_at(base + target) - largest;
#ifdef SHAPED
    losses[first_row + row] =
        (1.0 - smoothing) * (log(sum) - z) + smoothing * (log(sum) - mean_below) + z_loss * lse * lse;
#else
    losses[first_row + row] = log(sum) - z;
#endif
  }
#ifdef BACKWARD
  differentiate(row, base, target, largest, sum);
#endif
}
