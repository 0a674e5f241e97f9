#version 460
#extension GL_GOOGLE_include_directive : require
#extension GL_KHR_shader_subgroup_arithmetic : require
#include "workgroup.glsl"

// The loss of direct preference optimization (arXiv:2305.18290). A pair is the rows of a reply that was chosen and of
// one that was rejected; with the sums of their log-probabilities and those that a reference gives them,
//   h = beta * ((chosen - reference chosen) - (rejected - reference rejected))
//   loss = -(1 - smoothing) log sigmoid(h) - smoothing log sigmoid(-h).
// With WEIGHTS (the number of its binding) each row of a pair gets what its own loss, -log p, is to be multiplied by
// for the gradient. One workgroup, pair after pair.
layout(push_constant) uniform Push {
  uint pairs;
  float beta;
  float smoothing;
};
layout(set = 0, binding = 0, std430) readonly buffer Losses { float losses[]; };      // (rows): -log p, or 0
layout(set = 0, binding = 1, std430) readonly buffer Pairs { uvec4 rows_of[]; };      // (pairs): chosen, rejected
layout(set = 0, binding = 2, std430) readonly buffer Reference { vec2 reference[]; };  // (pairs)
layout(set = 0, binding = 3, std430) writeonly buffer Scores { vec2 scores[]; };      // (pairs): sums of log p
layout(set = 0, binding = 4, std430) writeonly buffer PairLosses { float pair_losses[]; };  // (pairs)
layout(set = 0, binding = 5, std430) writeonly buffer Counted { int counted[]; };     // (pairs): 0, or -1: no pair
layout(set = 0, binding = 6, std430) buffer Sums { float sums[4]; };  // rewards of both, pairs won, pairs
#ifdef WEIGHTS
layout(set = 0, binding = WEIGHTS, std430) writeonly buffer Weights { float weights[]; };  // (rows)
#endif

float sum_of_rows(uint begin, uint end) {
  float sum = 0.0;
  for (uint row = begin + gl_LocalInvocationID.x; row < end; row += gl_WorkGroupSize.x) sum += losses[row];
  return workgroup_sum(sum);
}

// log(1 + exp(x)), also where exp(x) overflows.
float softplus(float x) { return max(x, 0.0) + log(1.0 + exp(-abs(x))); }
float sigmoid(float x) {
  const float e = exp(-abs(x));
  return (x >= 0.0 ? 1.0 : e) / (1.0 + e);
}

#ifdef WEIGHTS
void weigh(uvec4 rows, float weight) {
  for (uint row = rows.x + gl_LocalInvocationID.x; row < rows.y; row += gl_WorkGroupSize.x) weights[row] = weight;
  for (uint row = rows.z + gl_LocalInvocationID.x; row < rows.w; row += gl_WorkGroupSize.x) weights[row] = -weight;
}
#endif

void main() {
  if (grid_group() != 0) return;
  vec4 all = vec4(sums[0], sums[1], sums[2], sums[3]);
  for (uint p = 0; p < pairs; ++p) {
    const uvec4 rows = rows_of[p];
    const bool is_pair = rows.y > rows.x && rows.w > rows.z;
    const vec2 score = is_pair ? -vec2(sum_of_rows(rows.x, rows.y), sum_of_rows(rows.z, rows.w)) : vec2(0.0);
    const vec2 reward = is_pair ? beta * (score - reference[p]) : vec2(0.0);
    const float h = reward.x - reward.y;
    if (is_pair) all += vec4(reward, h > 0.0 ? 1.0 : 0.0, 1.0);
#ifdef WEIGHTS
    if (is_pair) weigh(rows, beta * ((1.0 - smoothing) * sigmoid(-h) - smoothing * sigmoid(h)));
#endif
    if (gl_LocalInvocationID.x == 0) {
      scores[p] = score;
      pair_losses[p] = is_pair ? (1.0 - smoothing) * softplus(-h) + smoothing * softplus(h) : 0.0;
      counted[p] = is_pair ? 0 : -1;
    }
  }
  if (gl_LocalInvocationID.x == 0) {
    for (uint i = 0; i < 4; ++i) sums[i] = all[i];
  }
}
