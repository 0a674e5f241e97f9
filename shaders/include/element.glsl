// Elements of a tensor in 32 or 16 bits; arithmetic is always fp32. The host sets DTYPE (ops/launch.hpp:
// `dtype_macro`): 0 f32, 1 f16, 2 bf16. A buffer of them is an array of ELEMENT, read with from_element(a[i])
// and written with a[i] = to_element(x). A kernel whose tensors differ has a macro for each of them:
// ELEMENT_OF(X_DTYPE), from_element_of(X_DTYPE, a[i]), to_element_of(X_DTYPE, x).
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

#define ELEMENT_PASTE(a, b) a##b
#define ELEMENT_OF(dtype) ELEMENT_PASTE(ELEMENT_, dtype)
#define from_element_of(dtype, e) ELEMENT_PASTE(FROM_ELEMENT_, dtype)(e)
#define to_element_of(dtype, x) ELEMENT_PASTE(TO_ELEMENT_, dtype)(x)

#define ELEMENT ELEMENT_OF(DTYPE)
#define from_element(e) from_element_of(DTYPE, e)
#define to_element(x) to_element_of(DTYPE, x)

#endif
