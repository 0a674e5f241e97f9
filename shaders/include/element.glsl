// Elements of a tensor in 32 or 16 bits; arithmetic is always fp32. The host sets DTYPE (ops/launch.hpp:
// `dtype_macro`): 0 f32, 1 f16, 2 bf16. A buffer of them is an array of ELEMENT, read with from_element(a[i])
// and written with a[i] = to_element(x).
#ifndef VKGPT_ELEMENT_GLSL
#define VKGPT_ELEMENT_GLSL

#if DTYPE == 0
#define ELEMENT float
#define from_element(e) (e)
#define to_element(x) (x)
#elif DTYPE == 1
#extension GL_EXT_shader_16bit_storage : require
#define ELEMENT float16_t
#define from_element(e) float(e)
#define to_element(x) float16_t(x)
#else
#extension GL_EXT_shader_16bit_storage : require
#define ELEMENT uint16_t
#define from_element(e) uintBitsToFloat(uint(e) << 16)
#define to_element(x) uint16_t(bfloat16_bits(x))
#endif

// The bits of the bfloat16 nearest to x, ties to even; a NaN stays a NaN.
uint bfloat16_bits(float x) {
  const uint bits = floatBitsToUint(x);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return (bits >> 16) | 0x40u;
  return (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
}

#endif
