// A matrix in blocks (ops/weight.hpp) as numbers in fp32. Before it, the including file declares the buffers and defines
//   BLOCKS          the type of blocks, as core/blocks.hpp numbers them: 1 q8_0, 2 q4_0, 3 nf4, 4 f16, 5 bf16
//   BLOCK_WORD(i)   a word of the quants; BLOCK_TWO_WORDS(i) that and the next, i being even
//   LEVELS_BY_SELECTION  where defined, nf4's levels are chosen bit by bit: for CPU drivers
//   BLOCK_SCALES    the array of the scales' words, for types that have some
#ifndef VKGPT_BLOCKS_GLSL
#define VKGPT_BLOCKS_GLSL

#if BLOCKS >= 4

// A word is two numbers.
#if BLOCKS == 4
vec2 two_numbers(uint word) { return unpackHalf2x16(word); }
#else
vec2 two_numbers(uint word) { return uintBitsToFloat(uvec2(word << 16, word & 0xffff0000u)); }
#endif
float block_scale(uint at) { return 1.0; }
#define FOUR_QUANTS uvec2
uvec2 four_quants(uint at) { return BLOCK_TWO_WORDS(at / 2); }
vec4 four_levels(uvec2 words) { return vec4(two_numbers(words.x), two_numbers(words.y)); }
float block_value(uint at) { return two_numbers(BLOCK_WORD(at / 2))[at % 2]; }
vec2 block_pair(uint at) { return two_numbers(BLOCK_WORD(at / 2)); }
vec4 block_four(uint at) { return four_levels(four_quants(at)); }
#define EIGHT_QUANTS uvec4
uvec4 eight_quants(uint at) { return uvec4(BLOCK_TWO_WORDS(at / 2), BLOCK_TWO_WORDS(at / 2 + 2)); }
vec4 low_levels(uvec4 words) { return four_levels(words.xy); }
vec4 high_levels(uvec4 words) { return four_levels(words.zw); }

#else

#if BLOCKS == 1
#define QUANTS_PER_WORD 4
float block_level(uint word, uint i) { return float(bitfieldExtract(int(word), int(8 * i), 8)); }
#else
#define QUANTS_PER_WORD 8
#if BLOCKS == 2
float block_level(uint word, uint i) { return float(int(bitfieldExtract(word, int(4 * i), 4)) - 8); }
#else
#ifdef LEVELS_BY_SELECTION
// 15 selections, where a table would be a gather of each number.
float block_level(uint word, uint i) {
  const bool b0 = (word & (1u << (4 * i))) != 0, b1 = (word & (2u << (4 * i))) != 0;
  const bool b2 = (word & (4u << (4 * i))) != 0, b3 = (word & (8u << (4 * i))) != 0;
  const float l0 = b0 ? -0.6961928009986877 : -1.0, l1 = b0 ? -0.39491748809814453 : -0.5250730514526367;
  const float l2 = b0 ? -0.18477343022823334 : -0.28444138169288635, l3 = b0 ? 0.0 : -0.09105003625154495;
  const float l4 = b0 ? 0.16093020141124725 : 0.07958029955625534, l5 = b0 ? 0.33791524171829224 : 0.24611230194568634;
  const float l6 = b0 ? 0.5626170039176941 : 0.44070982933044434, l7 = b0 ? 1.0 : 0.7229568362236023;
  const float m0 = b1 ? l1 : l0, m1 = b1 ? l3 : l2, m2 = b1 ? l5 : l4, m3 = b1 ? l7 : l6;
  const float n0 = b2 ? m1 : m0, n1 = b2 ? m3 : m2;
  return b3 ? n1 : n0;
}
#else
const float kNf4[16] =
    float[](-1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635,
            -0.18477343022823334, -0.09105003625154495, 0.0, 0.07958029955625534, 0.16093020141124725,
            0.24611230194568634, 0.33791524171829224, 0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0);
float block_level(uint word, uint i) { return kNf4[bitfieldExtract(word, int(4 * i), 4)]; }
#endif
#endif
#endif

// The scale of the block that has number `at`.
float block_scale(uint at) {
#if BLOCKS == 3
  return uintBitsToFloat(BLOCK_SCALES[at / 64]);
#else
  const uint block = at / 32;
  return unpackHalf2x16(BLOCK_SCALES[block / 2] >> (block % 2 * 16)).x;
#endif
}

// The words with the quants of four neighbours from number `at` on, a multiple of four, in its low bits.
#define FOUR_QUANTS uint
uint four_quants(uint at) {
#if QUANTS_PER_WORD == 4
  return BLOCK_WORD(at / 4);
#else
  return BLOCK_WORD(at / 8) >> (at % 8 * 4);
#endif
}

vec4 four_levels(uint word) {
  return vec4(block_level(word, 0), block_level(word, 1), block_level(word, 2), block_level(word, 3));
}

// Number `at`; two neighbours from an even one on; four from a multiple of four on.
float block_value(uint at) {
  return block_scale(at) * block_level(BLOCK_WORD(at / QUANTS_PER_WORD), at % QUANTS_PER_WORD);
}
vec2 block_pair(uint at) {
  const uint word = BLOCK_WORD(at / QUANTS_PER_WORD) >> (at % QUANTS_PER_WORD * (32 / QUANTS_PER_WORD));
  return block_scale(at) * vec2(block_level(word, 0), block_level(word, 1));
}
vec4 block_four(uint at) { return block_scale(at) * four_levels(four_quants(at)); }

#define EIGHT_QUANTS uvec2
// The quants of eight neighbours from a multiple of eight on, and the levels of the first four and of the others.
#if QUANTS_PER_WORD == 4
uvec2 eight_quants(uint at) { return BLOCK_TWO_WORDS(at / 4); }
vec4 low_levels(uvec2 quants) { return four_levels(quants.x); }
vec4 high_levels(uvec2 quants) { return four_levels(quants.y); }
#else
uvec2 eight_quants(uint at) { return uvec2(BLOCK_WORD(at / 8), 0); }
vec4 low_levels(uvec2 quants) { return four_levels(quants.x); }
vec4 high_levels(uvec2 quants) { return four_levels(quants.x >> 16); }
#endif

#endif

#endif
