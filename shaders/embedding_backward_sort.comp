#version 460
#extension GL_EXT_control_flow_attributes : require
#extension GL_GOOGLE_include_directive : require
#include "elementwise.glsl"

// Orders the positions by (token, position), so that equal tokens stand together in a fixed order: each
// position counts those that come before it. That is rows^2 comparisons of a broadcast value, less work than
// scanning all tokens for every row of a large vocabulary, and it needs neither atomics nor prefix sums.
layout(push_constant) uniform Push {
  uint rows;
  uint vocabulary;
};
layout(set = 0, binding = 0, std430) readonly buffer Tokens { int tokens[]; };  // (rows)
// (2, rows): positions, tokens
layout(set = 0, binding = 1, std430) writeonly buffer Sorted { uint sorted_rows[]; };

uint token_at(uint row) { return min(uint(tokens[row]), vocabulary - 1); }

void main() {
  const uint first = elementwise_first();
  uint token[kItems];
  uint place[kItems];
  [[unroll]] for (uint k = 0; k < kItems; ++k) {
    token[k] = token_at(min(first + k * gl_WorkGroupSize.x, rows - 1));
    place[k] = 0;
  }
  for (uint other = 0; other < rows; ++other) {
    const uint other_token = token_at(other);
    [[unroll]] for (uint k = 0; k < kItems; ++k) {
      // An equal token at an earlier position counts too.
      place[k] += uint(other_token < token[k] + uint(other < first + k * gl_WorkGroupSize.x));
    }
  }
  [[unroll]] for (uint k = 0; k < kItems; ++k) {
    const uint row = first + k * gl_WorkGroupSize.x;
    if (row < rows) {
      sorted_rows[place[k]] = row;
      sorted_rows[rows + place[k]] = token[k];
    }
  }
}
