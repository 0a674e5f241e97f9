#version 460
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require

// row_sums[b, h, t] = sum over HS of dout * out, the term that the softmax backward subtracts (arXiv:2205.14135).
// Macros: HS, the head size, a multiple of 4; DTYPE.

#include "elementwise.glsl"
#include "packed.glsl"

layout(set = 0, binding = 0, std430) readonly buffer Dout { WORD4 dout4[]; };         // (B, T, NH, HS)
layout(set = 0, binding = 1, std430) readonly buffer Out { WORD4 out4[]; };           // (B, T, NH, HS)
layout(set = 0, binding = 2, std430) writeonly buffer RowSums { float row_sums[]; };  // (B, NH, T)

layout(push_constant) uniform Push {
  uint rows;  // B * T
  uint T;
  uint NH;
};

void main() {
  const uint HS4 = HS / 4;
  ELEMENTWISE_LOOP(i, rows * NH) {  // of (B, T, NH)
    float sum = 0;
    [[unroll]] for (uint j = 0; j < HS4; ++j) {
      sum += dot(unpack4(dout4[i * HS4 + j]), unpack4(out4[i * HS4 + j]));
    }
    uint row = i / NH;
    row_sums[(row / T * NH + i % NH) * T + row % T] = sum;
  }
}
