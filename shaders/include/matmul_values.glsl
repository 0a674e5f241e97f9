// Loads and stores VALUES neighbours of a matrix row as `values` (float, vec2 or vec4). The including file defines
//   VALUES         1, 2 or 4
//   F32_WORDS      1: f32 buffers are arrays of words of VALUES neighbours; 0: of single elements
//   ELEMENT_WORDS  the same for buffers of DTYPE; for DTYPE 0 it equals F32_WORDS
//   NATIVE_ROUNDING  (default 0) 1: rounds to f16 by the driver's conversion, one instruction that rounds to nearest on
//                  every GPU seen, though SPIR-V does not promise it; by integer arithmetic, 128 elements a lane take
//                  a quarter of a GPT-2 product's time
// This file defines FLOATS and ELEMENTS, the words of f32 and of DTYPE buffers, and LOAD_F32, STORE_F32, LOAD and STORE,
// which take a buffer's array and the index of the first element. Without words only `more` elements follow the first
// in its row: further ones are loaded as some element of the row, and not stored.
#include "element.glsl"

#ifndef NATIVE_ROUNDING
#define NATIVE_ROUNDING 0
#endif

#if VALUES == 1
#define values float
#define FOR_EACH(f, v) f(v)
#define EACH_OF(of, array, i, more) of(array[i])
#define STORE_EACH(array, i, more, to, v) array[i] = to(v);
#elif VALUES == 2
#define values vec2
#define FOR_EACH(f, v) vec2(f((v).x), f((v).y))
#define EACH_OF(of, array, i, more) vec2(of(array[i]), of(array[(i) + (more)]))
#define STORE_EACH(array, i, more, to, v)         \
  {                                               \
    array[i] = to((v).x);                         \
    if ((more) == 1) array[(i) + 1] = to((v).y);  \
  }
#else
#define values vec4
#define FOR_EACH(f, v) vec4(f((v).x), f((v).y), f((v).z), f((v).w))
#define EACH_OF(of, array, i, more)                                 \
  vec4(of(array[i]), of(array[(i) + min(1, more)]),                 \
       of(array[(i) + min(2, more)]), of(array[(i) + min(3, more)]))
#define STORE_EACH(array, i, more, to, v)         \
  {                                               \
    array[i] = to((v).x);                         \
    if ((more) >= 1) array[(i) + 1] = to((v).y);  \
    if ((more) >= 2) array[(i) + 2] = to((v).z);  \
    if ((more) >= 3) array[(i) + 3] = to((v).w);  \
  }
#endif

#if !F32_WORDS
#define FLOATS float
#define LOAD_F32(array, i, more) EACH_OF(float, array, i, more)
#define STORE_F32(array, i, more, v) STORE_EACH(array, i, more, float, v)
#elif VALUES == 2
#define FLOATS uint64_t
vec2 unpack_floats(uint64_t pair) { return uintBitsToFloat(unpackUint2x32(pair)); }
#define LOAD_F32(array, i, more) unpack_floats(array[(i) / 2])
#define STORE_F32(array, i, more, v) array[(i) / 2] = pack_halves(floatBitsToUint(v));
#else
#define FLOATS vec4
#define LOAD_F32(array, i, more) array[(i) / 4]
#define STORE_F32(array, i, more, v) array[(i) / 4] = v;
#endif

#if DTYPE == 0
#define ELEMENTS FLOATS
#define LOAD LOAD_F32
#define STORE STORE_F32
#define unpack(word) (word)
values rounded(values v) { return v; }
#else

#if NATIVE_ROUNDING && DTYPE == 1
uint round_pair(vec2 v) { return packFloat2x16(f16vec2(v)); }
#define ROUND_ELEMENT(x) ELEMENT(round_pair(vec2(x, 0.0)))
// Decoded by integer arithmetic, since Mesa removes a conversion and its inverse as if they were exact.
vec2 rounded_pair(vec2 v) {
  const uint word = round_pair(v);
  return vec2(from_element(word & 0xffffu), from_element(word >> 16));
}
#else
uint round_pair(vec2 v) { return to_pair(v); }
#define ROUND_ELEMENT(x) to_element(x)
vec2 rounded_pair(vec2 v) { return from_pair(to_pair(v)); }
#endif

#if !ELEMENT_WORDS
#define ELEMENTS ELEMENT
#define LOAD(array, i, more) EACH_OF(from_element, array, i, more)
#define STORE(array, i, more, v) STORE_EACH(array, i, more, ROUND_ELEMENT, v)
#else
#if VALUES == 2
#define ELEMENTS uint
#define unpack(word) from_pair(word)
#define pack(v) round_pair(v)
#else
#define ELEMENTS uvec2
vec4 unpack(uvec2 word) { return vec4(from_pair(word.x), from_pair(word.y)); }
uvec2 pack(vec4 v) { return uvec2(round_pair(v.xy), round_pair(v.zw)); }
#endif
#define LOAD(array, i, more) unpack(array[(i) / VALUES])
#define STORE(array, i, more, v) array[(i) / VALUES] = pack(v);
#endif

// The values rounded to DTYPE.
#if VALUES == 1
float rounded(float v) { return rounded_pair(vec2(v, 0.0)).x; }
#elif VALUES == 2
vec2 rounded(vec2 v) { return rounded_pair(v); }
#else
vec4 rounded(vec4 v) { return vec4(rounded_pair(v.xy), rounded_pair(v.zw)); }
#endif
#endif
