#version 460
#extension GL_GOOGLE_include_directive : require
#include "elementwise.glsl"

// y = x, bit for bit: words of 32 bits, WIDTH at a time, which fits the device (f32_width), or with IS_16BIT of 16.
layout(push_constant) uniform Push { uint count; };  // words
#if defined(IS_16BIT)
#extension GL_EXT_shader_16bit_storage : require
#define WORD uint16_t
#define COPIED(word) uint16_t(uint(word))
#else
#define COPIED(word) word
#if WIDTH == 4
#define WORD uvec4
#elif WIDTH == 2
#include "words64.glsl"
#define WORD uint64_t
#else
#define WORD uint
#endif
#endif
layout(set = 0, binding = 0, std430) readonly buffer X { WORD x[]; };   // (count)
layout(set = 0, binding = 1, std430) writeonly buffer Y { WORD y[]; };  // (count)

void main() {
  ELEMENTWISE_LOOP(i, count) { y[i] = COPIED(x[i]); }
}
