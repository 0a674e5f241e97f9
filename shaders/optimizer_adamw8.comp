#version 460
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#extension GL_KHR_shader_subgroup_arithmetic : require
#extension GL_KHR_shader_subgroup_basic : require
#include "step_params.glsl"
#include "subgroup_rows.glsl"

// optimizer_adamw with moments in 8 bits (Dettmers et al., arXiv:2110.02861), a subgroup a block of 256 elements:
// a pass over the block finds the new scales, the largest magnitudes; another computes the new moments again,
// moves the weights by them and stores the codes of the values nearest to moment / scale. A second moment that is
// not zero never gets the code of zero. A step that global_norm_clip marks as not finite changes nothing, bit for bit.
layout(push_constant) uniform Push {
  uint count;        // blocks
  uint first;        // the first of them in `scales` and `blocks`
  uint arena_first;  // place of the slice in the arena, in blocks
  float beta1;
  float one_minus_beta1;
  float beta2;
  float one_minus_beta2;
  float eps;
  float weight_decay;
};
layout(set = 0, binding = 0, std430) buffer Weights { float weights[]; };               // (slice)
layout(set = 0, binding = 1, std430) readonly buffer Gradients { float gradients[]; };  // (slice)
layout(set = 0, binding = 2, std430) buffer Codes { uint codes[]; };                    // (count, 2, 64), 4 codes a word
layout(set = 0, binding = 3, std430) buffer Scales { vec2 scales[]; };                  // (all blocks), of m and of v
layout(set = 0, binding = 4, std430) readonly buffer Blocks { uint blocks[]; };         // (all blocks), in the arena
layout(set = 0, binding = 5, std430) readonly buffer Table { float table[512]; };       // (2, 256): what the codes of m, of v stand for
layout(set = 0, binding = 6, std430) readonly buffer Decay { uint decay_bits[]; };      // a bit per 64 elements of the arena
layout(set = 0, binding = 7, std430) readonly buffer Norm { uint norm[4]; };            // see global_norm_clip
layout(set = 0, binding = 8, std430) readonly buffer Step { STEP_PARAMS_MEMBERS } step_params;

const uint kWords = 64;        // of one moment of a block
const uint kM = 0, kV = 256;  // in `table`

// m and v after this step of the four elements of a word.
void new_moments(uint block_codes, uint block_elements, uint w, vec2 scale, float clip_scale, out vec4 m, out vec4 v) {
  const uint m_codes = codes[block_codes + w];
  const uint v_codes = codes[block_codes + kWords + w];
  [[unroll]] for (uint j = 0; j < 4; ++j) {
    const float g = gradients[block_elements + 4 * w + j] * clip_scale;
    const float old_m = table[kM + (m_codes >> 8 * j & 255)] * scale.x;
    const float old_v = table[kV + (v_codes >> 8 * j & 255)] * scale.y;
    m[j] = beta1 * old_m + one_minus_beta1 * g;
    v[j] = beta2 * old_v + one_minus_beta2 * g * g;
  }
}

// The index of the value nearest to x >= 0 among 0 and the positive values. Decade d, up to 10^(d-6), has
// per_decade * 2^d values. Arithmetic takes half the time of a bisection of the 256 values.
uint nearest(float x, float per_decade) {
  float unit = 1e6;
  float cells = per_decade;
  // Midway between the last value of decade d-1 and the first of decade d: 10^(d-7) (1 + 1.8 / (per_decade 2^d)).
  if (x > 1e-6 * (1.0 + 0.9 / per_decade)) unit = 1e5, cells = per_decade * 2.0;
  if (x > 1e-5 * (1.0 + 0.45 / per_decade)) unit = 1e4, cells = per_decade * 4.0;
  if (x > 1e-4 * (1.0 + 0.225 / per_decade)) unit = 1e3, cells = per_decade * 8.0;
  if (x > 1e-3 * (1.0 + 0.1125 / per_decade)) unit = 1e2, cells = per_decade * 16.0;
  if (x > 1e-2 * (1.0 + 0.05625 / per_decade)) unit = 1e1, cells = per_decade * 32.0;
  if (x > 1e-1 * (1.0 + 0.028125 / per_decade)) unit = 1.0, cells = per_decade * 64.0;
  const float cell = clamp(floor((x * unit - 0.1) * (cells / 0.9)), 0.0, cells - 1.0);
  const float before = cells - per_decade;  // values of the decades before
  const float largest = per_decade * 127.0;
  float count = x > 1.0 - 0.225 / (64.0 * per_decade) ? largest + 1.0 : before + cell + 1.0;
  if (x < 0.5e-6 * (0.1 + 0.45 / per_decade)) count = 0.0;
  return uint(count);
}

uint m_code(float x) {
  const uint count = nearest(abs(x), 1.0);
  return x < 0.0 ? 127 - min(count, 127) : 127 + count;
}
uint v_code(float x) { return nearest(x, 2.0); }

void main() {
  if (norm[2] != 0) return;
  const float clip_scale = uintBitsToFloat(norm[1]);
  const float lr = step_params.learning_rate;
  const float correction1 = step_params.bias_correction1;
  const float correction2 = step_params.bias_correction2;
  SUBGROUP_ROW_LOOP(row, count) {
    const uint block = blocks[first + row];
    const uint block_elements = (block - arena_first) * 256;
    const uint block_codes = row * 2 * kWords;
    const vec2 scale = scales[first + row];
    const uint bit = block * 4;  // a tensor decays or not as a whole
    const bool decays = (decay_bits[bit / 32] >> (bit % 32) & 1) != 0;

    float largest_m = 0.0, largest_v = 0.0;
    for (uint w = gl_SubgroupInvocationID; w < kWords; w += gl_SubgroupSize) {
      vec4 m, v;
      new_moments(block_codes, block_elements, w, scale, clip_scale, m, v);
      [[unroll]] for (uint j = 0; j < 4; ++j) {
        largest_m = max(largest_m, abs(m[j]));
        largest_v = max(largest_v, v[j]);
      }
    }
    const vec2 new_scale = vec2(subgroupMax(largest_m), subgroupMax(largest_v));
    const float m_factor = new_scale.x > 0.0 ? 1.0 / new_scale.x : 0.0;
    const float v_factor = new_scale.y > 0.0 ? 1.0 / new_scale.y : 0.0;

    for (uint w = gl_SubgroupInvocationID; w < kWords; w += gl_SubgroupSize) {
      vec4 m, v;
      new_moments(block_codes, block_elements, w, scale, clip_scale, m, v);
      uint m_codes = 0, v_codes = 0;
      [[unroll]] for (uint j = 0; j < 4; ++j) {
        const uint i = block_elements + 4 * w + j;
        const float old = weights[i];
        const float adam = m[j] * correction1 / (sqrt(v[j] * correction2) + eps);
        weights[i] = old - lr * (adam + (decays ? weight_decay * old : 0.0));
        m_codes |= m_code(m[j] * m_factor) << 8 * j;
        v_codes |= max(v_code(v[j] * v_factor), uint(v[j] > 0.0)) << 8 * j;
      }
      codes[block_codes + w] = m_codes;
      codes[block_codes + kWords + w] = v_codes;
    }
    if (subgroupElect()) scales[first + row] = new_scale;
  }
}
