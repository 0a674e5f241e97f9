#version 460
#extension GL_GOOGLE_include_directive : require
#include "elementwise.glsl"

// The words by which f32 values travel between devices: the values' bits or, with BF16, two values to a word, the
// first in its lower half, rounded to nearest, ties to even; a NaN stays one.
layout(push_constant) uniform Push { uint count; };  // words
layout(set = 0, binding = 0, std430) readonly buffer Values { uint values[]; };   // (count), (2 count) with BF16
layout(set = 0, binding = 1, std430) writeonly buffer Words { uint words[]; };    // (count)

#ifdef BF16
uint to_bf16_bits(uint bits) {
  if ((bits & 0x7fffffff) > 0x7f800000) return bits >> 16 | 0x40;
  return (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
}
#endif

void main() {
  ELEMENTWISE_LOOP(i, count) {
#ifdef BF16
    words[i] = to_bf16_bits(values[2 * i]) | to_bf16_bits(values[2 * i + 1]) << 16;
#else
    words[i] = values[i];
#endif
  }
}
