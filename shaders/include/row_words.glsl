// Rows of DTYPE (element.glsl) in words of 16 bytes, which kernels hold in registers: a buffer of them is an
// array of ROW_WORD. A word has PARTS vectors of four elements. Loops over words and parts must be unrolled, so that
// no array is indexed by a variable. The host sets DTYPE and NATIVE_ROUNDING (ops/held_rows.hpp: `row_words`).
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
#define kept_rounded(word, zero) (word)
#else
#define ROW_WORD uvec4
#define PARTS 2
vec4 part_of(uvec4 word, uint part) { return unpack4(part == 0 ? word.xy : word.zw); }
// f32 to f16 is one instruction where the device has 16-bit arithmetic; by hand it takes twenty. Not packHalf2x16, which
// AMD's and NVK's compilers make round toward zero, and to 65504 in place of infinity.
#ifdef NATIVE_ROUNDING
#extension GL_EXT_shader_explicit_arithmetic_types_float16 : require
uvec2 rounded4(vec4 x) { return uvec2(packFloat2x16(f16vec2(x.xy)), packFloat2x16(f16vec2(x.zw))); }
// A word that is read again, `zero` being what no compiler knows to be: Mesa removes a conversion and its inverse as if they
// were exact.
uvec4 kept_rounded(uvec4 word, uint zero) { return word ^ zero; }
#else
uvec2 rounded4(vec4 x) { return pack4(x); }
#define kept_rounded(word, zero) (word)
#endif
uvec4 with_part(uvec4 word, uint part, vec4 x) {
  const uvec2 half_word = rounded4(x);
  return part == 0 ? uvec4(half_word, word.zw) : uvec4(word.xy, half_word);
}
#endif

const uint kWordElements = 4 * PARTS;

float sum_of(vec4 x) { return (x.x + x.y) + (x.z + x.w); }

#endif
