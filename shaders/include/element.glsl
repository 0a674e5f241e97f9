// Elements of a tensor in 32 or 16 bits; arithmetic is always fp32. The host sets DTYPE (plan/dispatch.hpp:
// `Macros::dtype`): 0 f32, 1 f16, 2 bf16. A buffer of them is an array of ELEMENT, read with from_element(a[i])
// and written with a[i] = to_element(x). A kernel whose tensors differ has a macro for each of them:
// ELEMENT_OF(X_DTYPE), from_element_of(X_DTYPE, a[i]), to_element_of(X_DTYPE, x).
//
// Two neighbours of 16 bits, the first at an even index, may be read and written as one 32-bit word w:
// from_pair(w) is a vec2, to_pair(v) the word; from_pair_of(X_DTYPE, w), to_pair_of(X_DTYPE, v).
// Both 16-bit types are encoded by integer arithmetic. SPIR-V leaves the rounding of float16_t(x) and packHalf2x16 to
// the driver, and with either a matrix product's kernel takes llvmpipe 3.5 times as long to build.
#ifndef VKGPT_ELEMENT_GLSL
#define VKGPT_ELEMENT_GLSL

#extension GL_EXT_shader_16bit_storage : enable

// The bits of the bfloat16 nearest to x, ties to even; a NaN stays a NaN.
uint bfloat16_bits(float x) {
  const uint bits = floatBitsToUint(x);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return (bits >> 16) | 0x40u;
  return (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
}

// The bits of the binary16 nearest to x, ties to even; infinity from 65520 on, a NaN stays a NaN.
uint float16_bits(float x) {
  const uint bits = floatBitsToUint(x);
  const uint magnitude = bits & 0x7fffffffu;
  // Below 2^-14 in steps of 2^-24, which are those of floats from 0.5, so that the addition rounds.
  const uint subnormal = floatBitsToUint(uintBitsToFloat(magnitude) + 0.5) - 0x3f000000u;
  const uint normal = (magnitude - 0x38000000u + 0xfffu + ((magnitude >> 13) & 1u)) >> 13;
  const uint special = magnitude > 0x7f800000u ? 0x7e00u : 0x7c00u;
  const uint half_bits = magnitude < 0x38800000u ? subnormal : magnitude < 0x477ff000u ? normal : special;
  return ((bits >> 16) & 0x8000u) | half_bits;
}

// f32 that is to be rounded to a finite binary16: beyond its range its end.
#define within_f16(x) clamp(x, -65504, 65504)

// The value of a binary16. The sign bypasses the conversion: Mesa moves a maximum or an absolute value behind a plain
// conversion into f16 arithmetic, which llvmpipe does lane by lane (ReLU^2 took 2.5 times as long).
float float16_value(uint h) {
  return uintBitsToFloat(floatBitsToUint(unpackHalf2x16(h & 0x7fffu).x) | (h & 0x8000u) << 16);
}

#define ELEMENT_0 float
#define ELEMENT_1 uint16_t
#define ELEMENT_2 uint16_t
// Macros, because without 16-bit arithmetic a uint16_t may only be loaded, stored and converted.
#define FROM_ELEMENT_0(e) (e)
#define FROM_ELEMENT_1(e) float16_value(uint(e))
#define FROM_ELEMENT_2(e) uintBitsToFloat(uint(e) << 16)
#define TO_ELEMENT_0(x) (x)
#define TO_ELEMENT_1(x) uint16_t(float16_bits(x))
#define TO_ELEMENT_2(x) uint16_t(bfloat16_bits(x))

vec2 from_pair_1(uint w) { return unpackHalf2x16(w); }
vec2 from_pair_2(uint w) { return uintBitsToFloat(uvec2(w << 16, w & 0xffff0000u)); }
uint to_pair_1(vec2 v) { return float16_bits(v.x) | float16_bits(v.y) << 16; }
uint to_pair_2(vec2 v) { return bfloat16_bits(v.x) | bfloat16_bits(v.y) << 16; }

#define ELEMENT_PASTE(a, b) a##b
#define ELEMENT_OF(dtype) ELEMENT_PASTE(ELEMENT_, dtype)
#define from_element_of(dtype, e) ELEMENT_PASTE(FROM_ELEMENT_, dtype)(e)
#define to_element_of(dtype, x) ELEMENT_PASTE(TO_ELEMENT_, dtype)(x)
#define from_pair_of(dtype, w) ELEMENT_PASTE(from_pair_, dtype)(w)
#define to_pair_of(dtype, v) ELEMENT_PASTE(to_pair_, dtype)(v)

#define ELEMENT ELEMENT_OF(DTYPE)
#define from_element(e) from_element_of(DTYPE, e)
#define to_element(x) to_element_of(DTYPE, x)
#define from_pair(w) from_pair_of(DTYPE, w)
#define to_pair(v) to_pair_of(DTYPE, v)

#endif
