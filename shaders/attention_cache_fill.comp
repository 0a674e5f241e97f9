#version 460
#extension GL_GOOGLE_include_directive : require

// Copies the keys and values of a prompt into the cache, position by position. Macros: HS, a multiple of 4;
// DTYPE.

#include "elementwise.glsl"
#include "packed.glsl"

layout(set = 0, binding = 0, std430) readonly buffer Qkv { WORD4 qkv4[]; };         // (B, T, NH + 2 NKV, HS)
layout(set = 0, binding = 1, std430) writeonly buffer KCache { WORD4 k_cache4[]; };  // (B, NKV, T_max, HS)
layout(set = 0, binding = 2, std430) writeonly buffer VCache { WORD4 v_cache4[]; };  // (B, NKV, T_max, HS)

layout(push_constant) uniform Push {
  uint count;  // B * NKV * T * HS / 4
  uint T;
  uint T_max;
  uint NH;
  uint NKV;
};

void main() {
  const uint HS4 = HS / 4;
  ELEMENTWISE_LOOP(i, count) {
    uint t = i / HS4 % T;
    uint head = i / HS4 / T;  // of keys, of all sequences
    uint from = ((head / NKV * T + t) * (NH + 2 * NKV) + NH + head % NKV) * HS4 + i % HS4;
    uint to = (head * T_max + t) * HS4 + i % HS4;
    k_cache4[to] = qkv4[from];
    v_cache4[to] = qkv4[from + NKV * HS4];
  }
}
