#version 460
#extension GL_GOOGLE_include_directive : require

// Brings what the parts of attention_decode made of a head of a row together, block after block. An invocation takes
// four elements. Macros: HS, a multiple of 4; DTYPE of the output.

#include "elementwise.glsl"
#include "packed.glsl"

layout(set = 0, binding = 0, std430) readonly buffer Places { ivec2 places[]; };         // (rows) of (position, slot)
layout(set = 0, binding = 1, std430) readonly buffer SplitAcc { vec4 split_acc4[]; };    // (rows, NH, parts, HS)
layout(set = 0, binding = 2, std430) readonly buffer SplitSums { vec2 split_sums[]; };   // (rows, NH, parts)
layout(set = 0, binding = 3, std430) writeonly buffer Out { WORD4 result4[]; };          // (rows, NH, HS)

layout(push_constant) uniform Push {
  uint count;  // rows * NH * HS / 4
  uint T_max;
  uint NH;
  uint window;  // 0: all
  uint slots;
  uint parts;
  uint keys;
};

#include "attention_splits.glsl"

void main() {
  ELEMENTWISE_LOOP(i, count) {
    const uint head = i / (HS / 4);  // of all rows
    const ivec2 place = places[head / NH];
    const uint position = uint(place.y) < slots ? min(uint(place.x), T_max - 1) : 0;
    const uint first_key = window == 0 ? 0 : position + 1 - min(position + 1, window);
    const uint first = first_block(first_key), last = last_block(first_key, position);
    float largest = split_sums[head * parts + first % parts].x;
    for (uint block = first + 1; block <= last; ++block) {
      largest = max(largest, split_sums[head * parts + block % parts].x);
    }
    float sum = 0;
    vec4 acc = vec4(0);
    for (uint block = first; block <= last; ++block) {
      const uint at = head * parts + block % parts;
      const vec2 part = split_sums[at];
      const float grow = exp2(part.x - largest);
      sum = fma(part.y, grow, sum);
      acc = fma(split_acc4[at * (HS / 4) + i % (HS / 4)], vec4(grow), acc);
    }
    result4[i] = pack4(acc / sum);
  }
}
