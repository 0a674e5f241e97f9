// matmul.glsl for kernels on matrices of 16-bit elements (DTYPE 1 or 2): A and B in words of eight neighbours, C
// and all that is combined with it in words of four. WIDE says that every extent along a row and every offset is
// a multiple of eight; without it a word is one element. NATIVE_ROUNDING says that words of f16 are made by the
// driver's conversion, one instruction that rounds to nearest on every GPU seen, though SPIR-V does not promise it;
// 128 elements a lane by hand take a quarter of a GPT-2 product's time.

#if WIDE
#define OPERAND uvec4
#define PRE uvec2
#define FLOATS vec4
#if C_DTYPE == 0
#define RESULT vec4
#else
#define RESULT uvec2
#endif
#else
#define OPERAND ELEMENT
#define PRE ELEMENT
#define FLOATS float
#define RESULT ELEMENT_OF(C_DTYPE)
#endif

#include "matmul.glsl"

#if NATIVE_ROUNDING && DTYPE == 1
uint round_pair(vec2 v) { return packFloat2x16(f16vec2(v)); }
#else
uint round_pair(vec2 v) { return to_pair(v); }
#endif

// Four neighbours from element i on; without WIDE `count` of them, and anything beyond.
#if WIDE
#define LOAD_F32(array, i, count) array[(i) / 4]
#define STORE_F32(array, i, count, v) array[(i) / 4] = v;
#define LOAD(array, i, count) vec4(from_pair(array[(i) / 4].x), from_pair(array[(i) / 4].y))
#define STORE(array, i, count, v) array[(i) / 4] = uvec2(round_pair((v).xy), round_pair((v).zw));
#else
#define EACH_OF(value, array, i, count)                                                   \
  vec4(value(array[i]), value(array[(i) + min(1, (count) - 1)]),                           \
       value(array[(i) + min(2, (count) - 1)]), value(array[(i) + min(3, (count) - 1)]))
#define LOAD_F32(array, i, count) EACH_OF(float, array, i, count)
#define STORE_F32(array, i, count, v) \
  for (uint e = 0; e < (count); ++e) array[(i) + e] = (v)[e];
#define LOAD(array, i, count) EACH_OF(from_element, array, i, count)
#define STORE(array, i, count, v) \
  for (uint e = 0; e < (count); ++e) array[(i) + e] = ELEMENT(round_pair(vec2((v)[e], 0.0)));
#endif
#if C_DTYPE == 0
#define LOAD_C LOAD_F32
#define STORE_C STORE_F32
#else
#define LOAD_C LOAD
#define STORE_C STORE
#endif

// All that happens to the sums of row m from column n on, a multiple of four.
void finish(uint m, uint n, vec4 v) {
  const uint at = c_offset + m * ldc + n;
  const uint count = min(4, N - n);
#if PARTIAL == 1
  v += LOAD_C(c, at, count);
#elif PARTIAL == 2
  v += LOAD_F32(partials, at, count);
#endif
#if BIAS
  v += LOAD_F32(bias, n, count);
#endif
#if EPILOGUE == EPILOGUE_GELU
  STORE(pre, at, count, v)
  // Of what pre holds, so that GELU of pre gives the same bits; taken apart by hand, since Mesa takes two conversions
  // that follow each other for none.
  const uvec2 words = uvec2(round_pair(v.xy), round_pair(v.zw));
  v = vec4(from_element(words.x & 0xffffu), from_element(words.x >> 16), from_element(words.y & 0xffffu),
           from_element(words.y >> 16));
  v = vec4(gelu(v.x), gelu(v.y), gelu(v.z), gelu(v.w));
#elif EPILOGUE == EPILOGUE_GELU_GRAD
  const vec4 x = LOAD(pre, at, count);
  v *= vec4(gelu_grad(x.x), gelu_grad(x.y), gelu_grad(x.z), gelu_grad(x.w));
#endif
#if ACCUMULATE
  v += LOAD_C(c, at, count);
#endif
  STORE_C(c, at, count, v)
}
