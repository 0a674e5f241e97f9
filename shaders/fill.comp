#version 460
#extension GL_GOOGLE_include_directive : require
#include "elementwise.glsl"

// Sets the bits of every element, of 32 or, with IS_16BIT, 16 bits.
layout(push_constant) uniform Push {
  uint count;
  uint bits;
};
#ifdef IS_16BIT
#extension GL_EXT_shader_16bit_storage : require
#define WORD uint16_t
#else
#define WORD uint
#endif
layout(set = 0, binding = 0, std430) writeonly buffer Words { WORD words[]; };  // (count)

void main() {
  ELEMENTWISE_LOOP(i, count) { words[i] = WORD(bits); }
}
