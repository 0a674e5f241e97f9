#version 460
#extension GL_GOOGLE_include_directive : require
#ifdef COPY
#include "packed.glsl"
#endif
#include "elementwise.glsl"
#include "wide_f32.glsl"
#include "step_params.glsl"

// AdamW (Loshchilov and Hutter, arXiv:1711.05101) with PyTorch's meaning of the constants:
//   m = beta1 m + (1 - beta1) g,  v = beta2 v + (1 - beta2) g^2,
//   w -= lr (m_hat / (sqrt(v_hat) + eps) + decay w).
// A step that global_norm_clip marks as not finite changes nothing, bit for bit. With ACTIVE, elements whose bit
// is not set belong to another optimizer. With COPY the new weights go to a copy of type DTYPE too. With BLOCK, m and v hold some blocks of BLOCK elements only, and
// `blocks` gives their places in the arena. WIDTH elements are processed at a time; it divides 64 and BLOCK.
layout(push_constant) uniform Push {
  uint count;
  uint first;  // place of the slice in the arena, in blocks of 64 elements: an arena may have 2^32
  float beta1;
  float one_minus_beta1;
  float beta2;
  float one_minus_beta2;
  float eps;
  float weight_decay;
#ifdef BLOCK
  uint first_block;  // the first of m and v in `blocks`
#endif
};
layout(set = 0, binding = 0, std430) buffer Weights { WIDE_WORD weights[]; };               // (count)
layout(set = 0, binding = 1, std430) readonly buffer Gradients { WIDE_WORD gradients[]; };  // (count)
layout(set = 0, binding = 2, std430) buffer M { WIDE_WORD m[]; };                           // (count)
layout(set = 0, binding = 3, std430) buffer V { WIDE_WORD v[]; };                           // (count)
layout(set = 0, binding = 4, std430) readonly buffer Decay { uint decay_bits[]; };      // a bit per 64 elements of the arena
layout(set = 0, binding = 5, std430) readonly buffer Norm { uint norm[4]; };            // see global_norm_clip
layout(set = 0, binding = 6, std430) readonly buffer Step { STEP_PARAMS_MEMBERS } step_params;
#ifdef ACTIVE
layout(set = 0, binding = 7, std430) readonly buffer Active { uint active_bits[]; };    // as decay_bits
#endif
#ifdef COPY
#if WIDTH == 4
#define COPY_WORD WORD4
#define pack_copy(x) pack4(x)
#elif WIDTH == 2
#define COPY_WORD uint
#define pack_copy(x) to_pair(x)
#else
#define COPY_WORD ELEMENT
#define pack_copy(x) to_element(x)
#endif
layout(set = 0, binding = COPY, std430) writeonly buffer Copy { COPY_WORD copy[]; };    // (count)
#endif
#ifdef BLOCK
layout(set = 0, binding = 7, std430) readonly buffer Blocks { uint blocks[]; };         // in the arena
#endif

// Where words i of m and v belong in weights and gradients.
uint place_of(uint i) {
#ifdef BLOCK
  const uint words = BLOCK / WIDTH;
  return blocks[first_block + i / words] * words + i % words - first * (64 / WIDTH);
#else
  return i;
#endif
}

void main() {
  if (norm[2] != 0) return;
  const float clip_scale = uintBitsToFloat(norm[1]);
  const float lr = step_params.learning_rate;
  const float correction1 = step_params.bias_correction1;
  const float correction2 = step_params.bias_correction2;
  ELEMENTWISE_LOOP(i, count / WIDTH) {
    const uint place = place_of(i);
    const uint block = first + place / (64 / WIDTH);
#ifdef ACTIVE
    if ((active_bits[block / 32] >> (block % 32) & 1) == 0) continue;
#endif
    const bool decays = (decay_bits[block / 32] >> (block % 32) & 1) != 0;
    const wide g = unpack_wide(gradients[place]) * clip_scale;
    const wide new_m = beta1 * unpack_wide(m[i]) + one_minus_beta1 * g;
    const wide new_v = beta2 * unpack_wide(v[i]) + one_minus_beta2 * g * g;
    const wide w = unpack_wide(weights[place]);
    const wide adam = new_m * correction1 / (sqrt(new_v * correction2) + eps);
    m[i] = pack_wide(new_m);
    v[i] = pack_wide(new_v);
    const wide new_w = w - lr * (adam + (decays ? weight_decay : 0.0) * w);
    weights[place] = pack_wide(new_w);
#ifdef COPY
    copy[place] = pack_copy(new_w);
#endif
  }
}
