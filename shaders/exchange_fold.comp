#version 460
#extension GL_GOOGLE_include_directive : require
#include "elementwise.glsl"

// Adds what several devices sent (see exchange_pack) to a sum, element by element in the order of the contributions:
// ((sum + w_0) + w_1) + ..., the sum starting from zero where the control says so.
layout(push_constant) uniform Push { uint count; };  // words of one contribution
layout(set = 0, binding = 0, std430) readonly buffer Words { uint words[]; };      // (contributions, count)
layout(set = 0, binding = 1, std430) readonly buffer Control { uint control[2]; };  // contributions, 1 to start from zero
layout(set = 0, binding = 2, std430) buffer Sum { float sum[]; };                  // (count), (2 count) with BF16

void main() {
  const uint contributions = control[0];
  const bool fresh = control[1] != 0;
  ELEMENTWISE_LOOP(i, count) {
#ifdef BF16
    vec2 total = fresh ? vec2(0.0) : vec2(sum[2 * i], sum[2 * i + 1]);
    for (uint c = 0; c < contributions; ++c) {
      const uint word = words[c * count + i];
      total += vec2(uintBitsToFloat(word << 16), uintBitsToFloat(word & 0xffff0000));
    }
    sum[2 * i] = total.x;
    sum[2 * i + 1] = total.y;
#else
    float total = fresh ? 0.0 : sum[i];
    for (uint c = 0; c < contributions; ++c) total += uintBitsToFloat(words[c * count + i]);
    sum[i] = total;
#endif
  }
}
