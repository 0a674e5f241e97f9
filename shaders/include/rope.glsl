// rope_forward and rope_backward (arXiv:2104.09864): an item is a pair (i, i + HS / 2) of a q or k head.
// Macros: DIRECTION, 1 or -1; HS, the head size; DTYPE; PLACES, where each row is a token at a position of its own;
// POSITIONS, the binding of the rows' positions where documents share a sequence.
#include "element.glsl"
#include "elementwise.glsl"

layout(push_constant) uniform Push {
  uint count;        // rows * heads * HS / 2
  uint heads;        // NH + NKV
  uint row_stride;   // (NH + 2 NKV) HS
  uint first;        // position of the first row
  uint T;            // PLACES: positions of the table
};
layout(set = 0, binding = 0, std430) buffer Qkv { ELEMENT qkv[]; };             // (rows, NH + 2 NKV, HS)
layout(set = 0, binding = 1, std430) readonly buffer Table { vec2 table[]; };  // (T_max, HS / 2) of (cos, sin)
#ifdef POSITIONS
layout(set = 0, binding = POSITIONS, std430) readonly buffer Positions { int positions[]; };  // (rows)
#endif
#ifdef PLACES
layout(set = 0, binding = 2, std430) readonly buffer Places { ivec2 places[]; };  // (rows) of (position, slot)
#endif

void main() {
  const uint HALF = HS / 2;
  ELEMENTWISE_LOOP(item, count) {
    uint i = item % HALF;
    uint head = item / HALF % heads;
    uint row = item / HALF / heads;
#ifdef PLACES
    uint t = min(uint(places[row].x), T - 1);
#elif defined(POSITIONS)
    uint t = min(uint(positions[row]), T - 1);
#else
    uint t = (first + row) % T;
#endif
    vec2 turn = table[t * HALF + i];
    uint at = row * row_stride + head * HS + i;
    float x = from_element(qkv[at]);
    float y = from_element(qkv[at + HALF]);
    float s = DIRECTION * turn.y;
    qkv[at] = to_element(x * turn.x - y * s);
    qkv[at + HALF] = to_element(y * turn.x + x * s);
  }
}
