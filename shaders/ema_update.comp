#version 460
#extension GL_GOOGLE_include_directive : require
#include "elementwise.glsl"
#include "step_params.glsl"

// ema = d ema + (1 - d) w with d = min(decay, (1 + step) / (10 + step)), written so that an average that has
// reached w stays there; precise, since a compiler may otherwise make a linear interpolation of it, whose
// hardware form need not return a for a == b. A step that global_norm_clip marks as not finite changes nothing.
layout(push_constant) uniform Push {
  uint count;
  float one_minus_decay;
};
layout(set = 0, binding = 0, std430) buffer Ema { float ema[]; };  // (count)
layout(set = 0, binding = 1, std430) readonly buffer Weights { float weights[]; };  // (count)
layout(set = 0, binding = 2, std430) readonly buffer Norm { uint norm[4]; };  // see global_norm_clip
layout(set = 0, binding = 3, std430) readonly buffer Step { STEP_PARAMS_MEMBERS } step_params;

void main() {
  if (norm[2] != 0) return;
  // 1 - (1 + step) / (10 + step) without cancellation.
  const float rate = max(one_minus_decay, 9.0 / (10.0 + float(step_params.step_index)));
  ELEMENTWISE_LOOP(i, count) {
    const float average = ema[i];
    precise const float next = average + rate * (weights[i] - average);
    ema[i] = next;
  }
}
