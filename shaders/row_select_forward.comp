#version 460
#extension GL_GOOGLE_include_directive : require
#include "element.glsl"
#include "grid.glsl"
#include "step_params.glsl"

// y[b, c] = x[b, token_count - 1, c]: the last real row of every sequence of a padded prompt.
layout(local_size_x_id = 0) in;

layout(push_constant) uniform Push {
  uint B;
  uint T;
  uint C;
};
layout(set = 0, binding = 0, std430) readonly buffer X { ELEMENT x[]; };  // (B, T, C)
layout(set = 0, binding = 1, std430) readonly buffer Step { STEP_PARAMS_MEMBERS } params;
layout(set = 0, binding = 2, std430) writeonly buffer Y { ELEMENT y[]; };  // (B, C)

void main() {
  const uint i = grid_invocation();
  if (i >= B * C) return;
  const uint row = (i / C) * T + params.token_count - 1;
  y[i] = to_element(from_element(x[row * C + i % C]));
}
