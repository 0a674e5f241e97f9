#version 460
#extension GL_GOOGLE_include_directive : require
#include "elementwise.glsl"
#include "step_params.glsl"

// Gradient descent with momentum: m = beta m + (1 - beta) g,  w -= lr (m + decay w).
// A step that global_norm_clip marks as not finite changes nothing, bit for bit. With ACTIVE, elements whose bit
// is not set belong to another optimizer.
layout(push_constant) uniform Push {
  uint count;
  uint first;  // place of the slice in the arena, in elements
  float beta;
  float one_minus_beta;
  float weight_decay;
};
layout(set = 0, binding = 0, std430) buffer Weights { float weights[]; };               // (count)
layout(set = 0, binding = 1, std430) readonly buffer Gradients { float gradients[]; };  // (count)
layout(set = 0, binding = 2, std430) buffer M { float m[]; };                           // (count)
layout(set = 0, binding = 3, std430) readonly buffer Decay { uint decay_bits[]; };      // a bit per 64 elements of the arena
layout(set = 0, binding = 4, std430) readonly buffer Norm { uint norm[4]; };            // see global_norm_clip
layout(set = 0, binding = 5, std430) readonly buffer Step { STEP_PARAMS_MEMBERS } step_params;
#ifdef ACTIVE
layout(set = 0, binding = ACTIVE, std430) readonly buffer Active { uint active_bits[]; };  // as decay_bits
#endif

void main() {
  if (norm[2] != 0) return;
  const float clip_scale = uintBitsToFloat(norm[1]);
  ELEMENTWISE_LOOP(i, count) {
    const uint block = (first + i) / 64;
#ifdef ACTIVE
    if ((active_bits[block / 32] >> (block % 32) & 1) == 0) continue;
#endif
    const bool decays = (decay_bits[block / 32] >> (block % 32) & 1) != 0;
    const float w = weights[i];
    const float new_m = beta * m[i] + one_minus_beta * (gradients[i] * clip_scale);
    m[i] = new_m;
    weights[i] = w - step_params.learning_rate * (new_m + (decays ? weight_decay * w : 0.0));
  }
}
