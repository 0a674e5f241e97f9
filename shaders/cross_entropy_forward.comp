#version 460
#extension GL_GOOGLE_include_directive : require
#extension GL_KHR_shader_subgroup_arithmetic : require
#include "workgroup.glsl"

// loss = log(sum_c exp(logits[c])) - logits[target] over the V real columns, one workgroup a row, with the
// largest logit taken out first. With BACKWARD the row becomes its gradient in place:
//   dlogits = (softmax - onehot) * grad_scale, and 0 in the padding.
// A row whose target is no column (negative: ignored) has loss 0 and gradient 0.
layout(push_constant) uniform Push {
  uint rows;
  uint V;
  uint Vp;
  uint first_row;  // place of the rows among the targets and losses
  float grad_scale;
};
layout(set = 0, binding = 0, std430)
#ifndef BACKWARD
    readonly
#endif
    buffer Logits { float logits[]; };                                                // (rows, Vp)
layout(set = 0, binding = 1, std430) readonly buffer Targets { int targets[]; };      // (>= first_row + rows)
layout(set = 0, binding = 2, std430) writeonly buffer Losses { float losses[]; };  // (>= first_row + rows)

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
    for (uint c = local; c < Vp; c += gl_WorkGroupSize.x) logits[base + c] = 0.0;
#endif
    return;
  }

  float largest = kLowest;
  for (uint c = local; c < V; c += gl_WorkGroupSize.x) largest = max(largest, logits[base + c]);
  largest = workgroup_max(largest);
  float sum = 0.0;
  for (uint c = local; c < V; c += gl_WorkGroupSize.x) sum += exp(logits[base + c] - largest);
  sum = workgroup_sum(sum);

  // The invocation that owns the target's column reads it before it overwrites it below.
  if (target % gl_WorkGroupSize.x == local) {
    losses[first_row + row] = log(sum) - (logits[base + target] - largest);
  }
#ifdef BACKWARD
  const float scale = grad_scale / sum;
  for (uint c = local; c < Vp; c += gl_WorkGroupSize.x) {
    float d = 0.0;
    if (c < V) {
      d = exp(logits[base + c] - largest) * scale;
      if (c == target) d -= grad_scale;
    }
    logits[base + c] = d;
  }
#endif
}
