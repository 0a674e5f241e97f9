#version 460
#extension GL_GOOGLE_include_directive : require

// Copies the keys and values of each row to its place in the cache. Macros: HS, a multiple of 4; DTYPE of
// qkv; CACHE_DTYPE.

#include "elementwise.glsl"
#include "packed.glsl"

#define CACHE_WORD4 WORD4_OF(CACHE_DTYPE)
#if CACHE_DTYPE == DTYPE
#define to_cache4(word) (word)
#else
#define to_cache4(word) pack4_of(CACHE_DTYPE, within_f16(unpack4(word)))
#endif

layout(set = 0, binding = 0, std430) readonly buffer Qkv { WORD4 qkv4[]; };                  // (rows, NH + 2 NKV, HS)
layout(set = 0, binding = 1, std430) readonly buffer Places { ivec2 places[]; };             // (rows) of (position, slot)
layout(set = 0, binding = 2, std430) writeonly buffer KCache { CACHE_WORD4 k_cache4[]; };  // (slots, NKV, T_max, HS)
layout(set = 0, binding = 3, std430) writeonly buffer VCache { CACHE_WORD4 v_cache4[]; };  // (slots, NKV, T_max, HS)

layout(push_constant) uniform Push {
  uint count;  // rows * NKV * HS / 4
  uint T_max;
  uint NH;
  uint NKV;
  uint slots;
};

void main() {
  const uint HS4 = HS / 4;
  ELEMENTWISE_LOOP(i, count) {
    uint head = i / HS4 % NKV;
    uint row = i / HS4 / NKV;
    ivec2 place = places[row];
    if (uint(place.y) >= slots || uint(place.x) >= T_max) continue;
    uint from = (row * (NH + 2 * NKV) + NH + head) * HS4 + i % HS4;
    uint to = ((uint(place.y) * NKV + head) * T_max + uint(place.x)) * HS4 + i % HS4;
    k_cache4[to] = to_cache4(qkv4[from]);
    v_cache4[to] = to_cache4(qkv4[from + NKV * HS4]);
  }
}
