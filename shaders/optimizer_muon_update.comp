#version 460
#extension GL_GOOGLE_include_directive : require
#include "elementwise.glsl"
#include "step_params.glsl"

// w -= lr (factor x + decay w) of a matrix. A step that global_norm_clip marks as not finite changes nothing.
layout(push_constant) uniform Push {
  uint count;
  uint lead;  // elements of the weights' range before the first of the slice
  float factor;
  float weight_decay;
};
layout(set = 0, binding = 0, std430) buffer Weights { float weights[]; };     // (lead + count)
layout(set = 0, binding = 1, std430) readonly buffer X { float x[]; };        // (count)
layout(set = 0, binding = 2, std430) readonly buffer Norm { uint norm[4]; };  // see global_norm_clip
layout(set = 0, binding = 3, std430) readonly buffer Step { STEP_PARAMS_MEMBERS } step_params;

void main() {
  if (norm[2] != 0) return;
  const float lr = step_params.learning_rate;
  ELEMENTWISE_LOOP(i, count) {
    const float w = weights[lead + i];
    weights[lead + i] = w - lr * (factor * x[i] + weight_decay * w);
  }
}
