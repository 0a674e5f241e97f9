#version 460
#extension GL_GOOGLE_include_directive : require
#include "element.glsl"
#include "elementwise.glsl"

// dwpe[t] += the sum over the batch of dx[b, t], in the order of b.
layout(push_constant) uniform Push {
  uint count;  // T * C
  uint C;
  uint T;
  uint rows;         // bound rows of dx
  uint first_row;    // their place among all (B, T), modulo T
};
layout(set = 0, binding = 0, std430) readonly buffer DX { ELEMENT dx[]; };  // (rows, C)
layout(set = 0, binding = 1, std430) buffer DWpe { float dwpe[]; };       // (>= T, C)

void main() {
  ELEMENTWISE_LOOP(i, count) {
    const uint t = i / C;
    const uint c = i - t * C;
    float sum = 0.0;
    for (uint row = (t + T - first_row) % T; row < rows; row += T) sum += from_element(dx[row * C + c]);
    dwpe[i] += sum;
  }
}
