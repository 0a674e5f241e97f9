#version 460
#extension GL_GOOGLE_include_directive : require
#extension GL_KHR_shader_subgroup_basic : require
#include "element.glsl"
#include "subgroup_rows.glsl"

// x = scale wte[token], or with WPE x = scale wte[token] + wpe[t]. wte is bound in slices of its rows, each with a dispatch
// of its own: this one serves the tokens of its slice. A token beyond the table reads the last row, so that no
// input can leave it. With PLACES or POSITIONS every row stands at a position of its own instead of at row % T. WPE,
// PLACES and POSITIONS are the numbers of bindings, DTYPE is the type of x and, without WTE_F32, of wte; with BLOCKS wte is in blocks of that
// type (blocks.glsl), whose scales have the binding SCALES.
#ifdef BLOCKS
#define WTE_ELEMENT uint
#define from_wte_at(i) block_value(i)
#elif defined(WTE_F32)
#define WTE_ELEMENT float
#define from_wte(value) (value)
#else
#define WTE_ELEMENT ELEMENT
#define from_wte(value) from_element(value)
#endif
#ifndef BLOCKS
#define from_wte_at(i) from_wte(wte[i])
#endif
layout(push_constant) uniform Push {
  uint rows;
  uint C;
  uint T;           // length of the sequences; with PLACES rows of wpe
  uint first_row;   // place of the bound rows of x among all (B, T)
  uint wte_first;   // the slice's first row of wte
  uint wte_count;   // and how many
  uint vocabulary;  // rows of wte in all
  float scale;
};
layout(set = 0, binding = 0, std430) readonly buffer Tokens { int tokens[]; };  // (rows)
layout(set = 0, binding = 1, std430) readonly buffer Wte { WTE_ELEMENT wte[]; };  // (wte_count, C)
#ifdef BLOCKS
#ifdef SCALES
layout(set = 0, binding = SCALES, std430) readonly buffer Scales { uint wte_scales[]; };
#endif
#define BLOCK_WORD(i) wte[i]
#define BLOCK_TWO_WORDS(i) uvec2(wte[i], wte[(i) + 1])
#define BLOCK_SCALES wte_scales
#include "blocks.glsl"
#endif
layout(set = 0, binding = 2, std430) writeonly buffer X { ELEMENT x[]; };         // (rows, C)
#ifdef WPE
layout(set = 0, binding = WPE, std430) readonly buffer Wpe { float wpe[]; };  // (>= T, C)
#endif
#ifdef POSITIONS
layout(set = 0, binding = POSITIONS, std430) readonly buffer Positions { int positions[]; };  // (rows)
#endif
#ifdef PLACES
layout(set = 0, binding = PLACES, std430) readonly buffer Places { ivec2 places[]; };  // (rows) of (position, slot)
#endif

void main() {
  SUBGROUP_ROW_LOOP(row, rows) {
    const uint local = min(uint(tokens[row]), vocabulary - 1) - wte_first;
    if (local >= wte_count) continue;
#ifdef PLACES
    const uint t = min(uint(places[row].x), T - 1);
#elif defined(POSITIONS)
    const uint t = min(uint(positions[row]), T - 1);
#else
    const uint t = (first_row + row) % T;
#endif
    for (uint c = gl_SubgroupInvocationID; c < C; c += gl_SubgroupSize) {
#ifdef WPE
      x[row * C + c] = to_element(scale * from_wte_at(local * C + c) + wpe[t * C + c]);
#else
      x[row * C + c] = to_element(scale * from_wte_at(local * C + c));
#endif
    }
  }
}
