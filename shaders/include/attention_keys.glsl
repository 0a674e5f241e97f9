// Where a forward on cooperative matrices finds its keys and values: in the rows of qkv, or with CACHED in a cache that
// already holds those of the rows. The rows are then a run, neighbouring tokens of one sequence, of which
// step_params.token_count are real and padding follows.
#define ROWS_WORD4 WORD4_OF(ROWS_DTYPE)
layout(set = 0, binding = 0, std430) readonly buffer Qkv { ROWS_WORD4 qkv4[]; };      // (B, T, NH + 2 NKV, HS)
layout(set = 0, binding = 1, std430) writeonly buffer Out { ROWS_WORD4 result4[]; };  // (B, T, NH, HS)
#if CACHED
#include "step_params.glsl"
layout(set = 0, binding = 2, std430) readonly buffer KCache { WORD4 k_cache4[]; };    // (slots, NKV, T_max, HS)
layout(set = 0, binding = 3, std430) readonly buffer VCache { WORD4 v_cache4[]; };    // (slots, NKV, T_max, HS)
layout(set = 0, binding = 4, std430) readonly buffer Places { ivec2 places[]; };      // (T) of (position, slot)
layout(set = 0, binding = 5, std430) readonly buffer Step { STEP_PARAMS_MEMBERS } step_params;
#define KEY_ROWS k_cache4
#define VALUE_ROWS v_cache4
#else
layout(set = 0, binding = 2, std430) writeonly buffer Lse { float lse[]; };  // (B, NH, T)
#define KEY_ROWS qkv4
#define VALUE_ROWS qkv4
#endif

// The keys and values of a head, row t of which begins at element base + t * stride, and what the OWN queries of a
// group see of them: the first query's position, and tiles from `from` to `end`.
struct Keys {
  uint base, value_base, stride, count;
  uint position, from, end;
};

// Those of head h of sequence b and the queries in the rows from `first` on.
Keys keys_of(uint b, uint h, uint first) {
  Keys keys;
  const uint kv_head = h / (NH / NKV);
#if CACHED
  const uint rows = max(step_params.token_count, 1);
  keys.base = (min(uint(places[0].y), slots - 1) * NKV + kv_head) * T_max * HS;
  keys.value_base = keys.base;
  keys.stride = HS;
  keys.count = min(uint(places[0].x) + rows, T_max);
  keys.position = min(uint(places[0].x) + first, keys.count - 1);
#else
  keys.stride = (NH + 2 * NKV) * HS;
  keys.base = b * T * keys.stride + (NH + kv_head) * HS;
  keys.value_base = keys.base + NKV * HS;
  keys.count = T;
  keys.position = first;
#endif
  keys.from = max(FIRST_KEY(keys.position), begin_of(b, keys.position) / TILE * TILE);
  keys.end = min(keys.count, keys.position + OWN);
#if CACHED
  // Padding takes one tile, for some finite result.
  if (first >= rows) keys.from = (keys.end - 1) / TILE * TILE;
#endif
  return keys;
}
