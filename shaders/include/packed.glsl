// Tensors of DTYPE (element.glsl) read and written four elements at a time, at a multiple of four: a buffer of
// them is an array of WORD4, read with unpack4(a[i]) and written with a[i] = pack4(x). Of another type than DTYPE:
// WORD4_OF(X_DTYPE), unpack4_of(X_DTYPE, a[i]), pack4_of(X_DTYPE, x).
#ifndef VKGPT_PACKED_GLSL
#define VKGPT_PACKED_GLSL
#include "element.glsl"

#define WORD4_0 vec4
#define WORD4_1 uvec2
#define WORD4_2 uvec2
#define unpack4_0(word) (word)
#define pack4_0(x) (x)
vec4 unpack4_1(uvec2 word) { return vec4(from_pair_1(word.x), from_pair_1(word.y)); }
vec4 unpack4_2(uvec2 word) { return vec4(from_pair_2(word.x), from_pair_2(word.y)); }
uvec2 pack4_1(vec4 x) { return uvec2(to_pair_1(x.xy), to_pair_1(x.zw)); }
uvec2 pack4_2(vec4 x) { return uvec2(to_pair_2(x.xy), to_pair_2(x.zw)); }

#define WORD4_OF(dtype) ELEMENT_PASTE(WORD4_, dtype)
#define unpack4_of(dtype, word) ELEMENT_PASTE(unpack4_, dtype)(word)
#define pack4_of(dtype, x) ELEMENT_PASTE(pack4_, dtype)(x)

#define WORD4 WORD4_OF(DTYPE)
#define unpack4(word) unpack4_of(DTYPE, word)
#define pack4(x) pack4_of(DTYPE, x)

#endif
