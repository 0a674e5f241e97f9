// Rows of DTYPE (element.glsl) in words of 16 bytes, which kernels hold in registers: a buffer of them is an
// array of ROW_WORD. A word has PARTS vectors of four elements. Loops over words and parts must be unrolled, so that
// no array is indexed by a variable.
#ifndef VKGPT_ROW_WORDS_GLSL
#define VKGPT_ROW_WORDS_GLSL
#extension GL_EXT_control_flow_attributes : require
#include "packed.glsl"

#define UNROLL [[unroll]]

#if DTYPE == 0
#define ROW_WORD vec4
#define PARTS 1
vec4 part_of(vec4 word, uint part) { return word; }
vec4 with_part(vec4 word, uint part, vec4 x) { return x; }
#else
#define ROW_WORD uvec4
#define PARTS 2
vec4 part_of(uvec4 word, uint part) { return unpack4(part == 0 ? word.xy : word.zw); }
// The driver's conversion to f16 is one instruction that rounds to nearest on every GPU seen, though SPIR-V does not
// promise it; by hand it takes twenty.
#if DTYPE == 1
uvec2 rounded4(vec4 x) { return uvec2(packHalf2x16(x.xy), packHalf2x16(x.zw)); }
#else
uvec2 rounded4(vec4 x) { return pack4(x); }
#endif
uvec4 with_part(uvec4 word, uint part, vec4 x) {
  const uvec2 half_word = rounded4(x);
  return part == 0 ? uvec4(half_word, word.zw) : uvec4(word.xy, half_word);
}
#endif

const uint kWordElements = 4 * PARTS;

float sum_of(vec4 x) { return (x.x + x.y) + (x.z + x.w); }

#endif
