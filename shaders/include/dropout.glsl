#ifndef VKGPT_DROPOUT_GLSL
#define VKGPT_DROPOUT_GLSL
#include "philox.glsl"

// Masks of dropout (ops/dropout.hpp). One draw decides four neighbours: `block` counts groups of four within
// `index` (a tensor: index 0, block = element / 4; a row of attention: index = row, block = key / 4).
const uint kDropoutPurpose = 5;  // RngPurpose::kDropout

// Component j is `scale` = 1 / (1 - p) where neighbour 4 * block + j is kept, else 0. `seed` and
// `dropout_step` are those of StepParams: uvec2(seed_lo, seed_hi).
vec4 dropout_mask(uvec2 seed, uint dropout_step, uint site, uint index, uint block, float p, float scale) {
  const uvec4 words = rng_block(seed, kDropoutPurpose, site, dropout_step, index, block);
  return vec4(uniform_float(words.x) >= p ? scale : 0.0, uniform_float(words.y) >= p ? scale : 0.0,
              uniform_float(words.z) >= p ? scale : 0.0, uniform_float(words.w) >= p ? scale : 0.0);
}

#endif
