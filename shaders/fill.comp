#version 460
#extension GL_GOOGLE_include_directive : require
#include "elementwise.glsl"

// Sets the bits of every element, of 32 or, with IS_16BIT, 16 bits; 32-bit ones WIDTH at a time, which fits
// the device (f32_width).
layout(push_constant) uniform Push {
  uint count;  // words
  uint bits;
};
#if defined(IS_16BIT)
#extension GL_EXT_shader_16bit_storage : require
#define WORD uint16_t
#elif WIDTH == 4
#define WORD uvec4
#elif WIDTH == 2
#include "words64.glsl"
#define WORD uint64_t
#else
#define WORD uint
#endif
layout(set = 0, binding = 0, std430) writeonly buffer Words { WORD words[]; };  // (count)

void main() {
#if !defined(IS_16BIT) && WIDTH == 2
  const WORD word = pack_halves(uvec2(bits));
  ELEMENTWISE_LOOP(i, count) { words[i] = word; }
#else
  ELEMENTWISE_LOOP(i, count) { words[i] = WORD(bits); }
#endif
}
