// Elements of a tensor in 32 or 16 bits; arithmetic is always fp32. The host sets DTYPE (ops/launch.hpp:
// `dtype_macro`): 0 f32, 1 f16, 2 bf16. A buffer of them is an array of ELEMENT, read with from_element(a[i])
// and written with a[i] = to_element(x). A kernel whose tensors differ has a macro for each of them:
// ELEMENT_OF(X_DTYPE), from_element_of(X_DTYPE, a[i]), to_element_of(X_DTYPE, x).
//
// Two neighbours of 16 bits, the first at an even index, may be read and written as one 32-bit word w:
// from_pair(w) is a vec2, to_pair(v) the word; from_pair_of(X_DTYPE, w), to_pair_of(X_DTYPE, v).
// SPIR-V leaves the rounding of float16_t(x) and packHalf2x16 to the driver; it is to the nearest, ties to even,
// on lavapipe (tests/ops/cast_test.cpp, matmul_16bit_test.cpp).
#ifndef VKGPT_ELEMENT_GLSL
#define VKGPT_ELEMENT_GLSL

#extension GL_EXT_shader_16bit_storage : enable

// The bits of the bfloat16 nearest to x, ties to even; a NaN stays a NaN.
uint bfloat16_bits(float x) {
  const uint bits = floatBitsToUint(x);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return (bits >> 16) | 0x40u;
  return (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
}

#define ELEMENT_0 float
#define ELEMENT_1 float16_t
#define ELEMENT_2 uint16_t
#define FROM_ELEMENT_0(e) (e)
#define FROM_ELEMENT_1(e) float(e)
#define FROM_ELEMENT_2(e) uintBitsToFloat(uint(e) << 16)
#define TO_ELEMENT_0(x) (x)
#define TO_ELEMENT_1(x) float16_t(x)
#define TO_ELEMENT_2(x) uint16_t(bfloat16_bits(x))

#define FROM_PAIR_1(w) unpackHalf2x16(w)
#define FROM_PAIR_2(w) uintBitsToFloat(uvec2((w) << 16, (w) & 0xffff0000u))
#define TO_PAIR_1(v) packHalf2x16(v)
#define TO_PAIR_2(v) (bfloat16_bits((v).x) | bfloat16_bits((v).y) << 16)

#define ELEMENT_PASTE(a, b) a##b
#define ELEMENT_OF(dtype) ELEMENT_PASTE(ELEMENT_, dtype)
#define from_element_of(dtype, e) ELEMENT_PASTE(FROM_ELEMENT_, dtype)(e)
#define to_element_of(dtype, x) ELEMENT_PASTE(TO_ELEMENT_, dtype)(x)
#define from_pair_of(dtype, w) ELEMENT_PASTE(FROM_PAIR_, dtype)(w)
#define to_pair_of(dtype, v) ELEMENT_PASTE(TO_PAIR_, dtype)(v)

#define ELEMENT ELEMENT_OF(DTYPE)
#define from_element(e) from_element_of(DTYPE, e)
#define to_element(x) to_element_of(DTYPE, x)
#define from_pair(w) from_pair_of(DTYPE, w)
#define to_pair(v) to_pair_of(DTYPE, v)

#endif
