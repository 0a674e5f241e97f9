#version 460
#extension GL_GOOGLE_include_directive : require
#include "elementwise.glsl"
#include "step_params.glsl"

// Lion (Chen et al., arXiv:2302.06675):
//   w -= lr (sign(beta1 m + (1 - beta1) g) + decay w),  m = beta2 m + (1 - beta2) g.
// A step that global_norm_clip marks as not finite changes nothing, bit for bit. With ACTIVE, elements whose bit
// is not set belong to another optimizer.
layout(push_constant) uniform Push {
  uint count;
  uint first;  // place of the slice in the arena, in blocks of 64 elements: an arena may have 2^32
  float beta1;
  float one_minus_beta1;
  float beta2;
  float one_minus_beta2;
  float weight_decay;
};
layout(set = 0, binding = 0, std430) buffer Weights { float weights[]; };               // (count)
layout(set = 0, binding = 1, std430) readonly buffer Gradients { float gradients[]; };  // (count)
layout(set = 0, binding = 2, std430) buffer M { float m[]; };                           // (count)
layout(set = 0, binding = 3, std430) readonly buffer Decay { uint decay_bits[]; };      // a bit per 64 elements of the arena
layout(set = 0, binding = 4, std430) readonly buffer Norm { uint norm[4]; };            // see global_norm_clip
layout(set = 0, binding = 5, std430) readonly buffer Step { STEP_PARAMS_MEMBERS } step_params;
#ifdef ACTIVE
layout(set = 0, binding = 6, std430) readonly buffer Active { uint active_bits[]; };    // as decay_bits
#endif

void main() {
  if (norm[2] != 0) return;
  const float clip_scale = uintBitsToFloat(norm[1]);
  const float lr = step_params.learning_rate;
  ELEMENTWISE_LOOP(i, count) {
    const uint block = first + i / 64;
#ifdef ACTIVE
    if ((active_bits[block / 32] >> (block % 32) & 1) == 0) continue;
#endif
    const bool decays = (decay_bits[block / 32] >> (block % 32) & 1) != 0;
    const float g = gradients[i] * clip_scale;
    const float old_m = m[i];
    const float w = weights[i];
    const float direction = sign(beta1 * old_m + one_minus_beta1 * g);
    m[i] = beta2 * old_m + one_minus_beta2 * g;
    weights[i] = w - lr * (direction + (decays ? weight_decay * w : 0.0));
  }
}
