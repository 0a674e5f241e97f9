// Tensors of DTYPE (element.glsl) read and written four elements at a time, at a multiple of four: a buffer of
// them is an array of WORD4, read with unpack4(a[i]) and written with a[i] = pack4(x).
#ifndef VKGPT_PACKED_GLSL
#define VKGPT_PACKED_GLSL
#include "element.glsl"

#if DTYPE == 0
#define WORD4 vec4
vec4 unpack4(vec4 word) { return word; }
vec4 pack4(vec4 x) { return x; }
#else
#define WORD4 uvec2
vec4 unpack4(uvec2 word) { return vec4(from_pair(word.x), from_pair(word.y)); }
uvec2 pack4(vec4 x) { return uvec2(to_pair(x.xy), to_pair(x.zw)); }
#endif

#endif
