#version 460
#extension GL_GOOGLE_include_directive : require

// Copies the keys and values of a prompt into the cache, position by position. Macro: HS, a multiple of 4.

#include "elementwise.glsl"

layout(set = 0, binding = 0, std430) readonly buffer Qkv { vec4 qkv4[]; };         // (B, T, 3, NH, HS)
layout(set = 0, binding = 1, std430) writeonly buffer KCache { vec4 k_cache4[]; };  // (B, NH, T_max, HS)
layout(set = 0, binding = 2, std430) writeonly buffer VCache { vec4 v_cache4[]; };  // (B, NH, T_max, HS)

layout(push_constant) uniform Push {
  uint count;  // B * NH * T * HS / 4
  uint T;
  uint T_max;
  uint NH;
};

void main() {
  const uint HS4 = HS / 4;
  ELEMENTWISE_LOOP(i, count) {
    uint t = i / HS4 % T;
    uint head = i / HS4 / T;  // of all sequences
    uint from = (((head / NH * T + t) * 3 + 1) * NH + head % NH) * HS4 + i % HS4;
    uint to = (head * T_max + t) * HS4 + i % HS4;
    k_cache4[to] = qkv4[from];
    v_cache4[to] = qkv4[from + NH * HS4];
  }
}
