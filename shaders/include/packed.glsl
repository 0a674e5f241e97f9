// Tensors of DTYPE (element.glsl) read and written four elements at a time, at a multiple of four: a buffer of
// them is an array of WORD4, read with unpack4(a[i]) and written with a[i] = pack4(x). 16-bit elements travel
// in 32-bit words, two in each, the first one low; rounding is to the nearest, ties to even, on every driver.
#ifndef VKGPT_PACKED_GLSL
#define VKGPT_PACKED_GLSL
#include "element.glsl"

#if DTYPE == 0
#define WORD4 vec4
#define unpack4(word) (word)
#define pack4(x) (x)
#else

#if DTYPE == 1
vec2 unpack_pair(uint word) { return unpackHalf2x16(word); }
uint round_to_16_bits(float x) {
  const uint bits = floatBitsToUint(x);
  const uint magnitude = bits & 0x7fffffffu;
  uint result = (magnitude + 0xfffu + ((magnitude >> 13) & 1u) - 0x38000000u) >> 13;
  // Subnormal, in steps of 2^-24: those of floats from 0.5, so that the addition rounds.
  if (magnitude < 0x38800000u) result = floatBitsToUint(uintBitsToFloat(magnitude) + 0.5) - 0x3f000000u;
  if (magnitude >= 0x477ff000u) result = 0x7c00u;
  if (magnitude > 0x7f800000u) result = 0x7e00u;
  return ((bits >> 16) & 0x8000u) | result;
}
#else
vec2 unpack_pair(uint word) { return uintBitsToFloat(uvec2(word << 16, word & 0xffff0000u)); }
uint round_to_16_bits(float x) { return bfloat16_bits(x); }
#endif

uint pack_pair(vec2 x) { return round_to_16_bits(x.x) | (round_to_16_bits(x.y) << 16); }

#define WORD4 uvec2
vec4 unpack4(uvec2 word) { return vec4(unpack_pair(word.x), unpack_pair(word.y)); }
uvec2 pack4(vec4 x) { return uvec2(pack_pair(x.xy), pack_pair(x.zw)); }
#endif

#endif
