#version 460

// Dynamic loss scale (arXiv:1710.03740): a skipped step halves it, `growth_interval` clean ones in a row
// double it. One invocation.
layout(local_size_x = 1) in;
layout(push_constant) uniform Push {
  float min_scale;
  float max_scale;
  uint growth_interval;
};
layout(set = 0, binding = 0, std430) buffer State { uint state[4]; };  // bits of the scale, clean steps, 0, 0
layout(set = 0, binding = 1, std430) readonly buffer Norm { uint norm[4]; };  // see global_norm_clip

void main() {
  const float scale = uintBitsToFloat(state[0]);
  if (norm[2] != 0) {
    state[0] = floatBitsToUint(max(min_scale, 0.5 * scale));
    state[1] = 0;
  } else if (state[1] + 1 >= growth_interval) {
    state[0] = floatBitsToUint(min(max_scale, 2.0 * scale));
    state[1] = 0;
  } else {
    state[1] += 1;
  }
}
