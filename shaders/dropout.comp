#version 460
#extension GL_GOOGLE_include_directive : require
#include "dropout.glsl"
#include "element.glsl"
#include "elementwise.glsl"
#include "step_params.glsl"

// y = mask * x; an invocation takes four neighbours at a time, which share a draw.
layout(push_constant) uniform Push {
  uint count;
  uint blocks;       // ceil(count / 4)
  uint first_block;  // place of the bound elements in the tensor
  uint site;
  float p;
  float scale;  // 1 / (1 - p)
};
layout(set = 0, binding = 0, std430) readonly buffer X { ELEMENT_OF(X_DTYPE) x[]; };   // (count)
layout(set = 0, binding = 1, std430) writeonly buffer Y { ELEMENT_OF(Y_DTYPE) y[]; };  // (count)
layout(set = 0, binding = 2, std430) readonly buffer Step { STEP_PARAMS_MEMBERS } params;

void main() {
  const uvec2 seed = uvec2(params.seed_lo, params.seed_hi);
  ELEMENTWISE_LOOP(block, blocks) {
    const vec4 mask = dropout_mask(seed, params.dropout_step, site, 0, first_block + block, p, scale);
    for (uint j = 0; j < 4; ++j) {
      const uint i = 4 * block + j;
      if (i < count) y[i] = to_element_of(Y_DTYPE, from_element_of(X_DTYPE, x[i]) * mask[j]);
    }
  }
}
