// Shared by attention_forward, attention_backward_dq and attention_backward_dkv.
//
// An invocation owns ROWS rows (queries, or keys in _dkv) of one head and keeps them in registers; it walks
// over the rows of the other side in tiles of TILE rows, shared by all invocations of the group. Macros:
//   HS         head size, a multiple of 4
//   LANES      workgroup size
//   ROWS, TILE rows owned by an invocation and rows walked over at a time
//   SPLIT      neighbouring invocations that share a row (a power of 2), each with every SPLIT-th four of its elements
//   HELD       1: the rows that an invocation owns are in registers; 0, in the backward: its parts of them are in
//              shared memory, where no other invocation touches them
//   KEPT       1: so are the rows of a tile, from the scores to the sums; 0: they are read twice
//   WINDOW     1: query t sees the keys in (t - window, t] only
//   GROUPED    1: _dkv sums over the query heads that share a key head
//   DOCUMENTS  see attention_documents.glsl
//   DROPOUT    defined where probabilities are dropped after the softmax: the binding of StepParams
//   QUADS      1: a subgroup holds four neighbouring rows that an invocation each owns
//   DTYPE      of q, k, v, the output and their gradients (element.glsl)
//   BROADCAST  0: an invocation loads the elements of a tile that it needs, four at a time; for GPUs
//              3: likewise, from PANEL rows that the group staged in shared memory; for GPUs
//              1 or 2: the workgroup is one subgroup, whose lanes load a word of 32 or 64 bits each and
//              broadcast its elements; for CPU drivers, where loads are costly (shaders/docs/compilers.md)
//              4: the workgroup is one subgroup, and every element of a tile is loaded by address, once for all
//              lanes; for CPU drivers, f32
#extension GL_EXT_control_flow_attributes : require
#extension GL_KHR_shader_subgroup_basic : require
#if BROADCAST == 0 || BROADCAST == 3 || defined(DROPOUT)
#extension GL_KHR_shader_subgroup_shuffle : require
#endif
#if BROADCAST == 1 || BROADCAST == 2
#extension GL_KHR_shader_subgroup_ballot : require
#endif
#if BROADCAST == 2 || BROADCAST == 4
#include "words64.glsl"
#endif
#if BROADCAST == 4
#include "by_address.glsl"
#else
#define WITHIN(i, count) (i)
#endif

#include "packed.glsl"

layout(local_size_x = LANES) in;

#include "grid.glsl"

layout(push_constant) uniform Push {
  uint T;
  uint NH;
  uint blocks;  // of OWNERS * ROWS rows, per head
  uint groups;  // blocks * heads * sequences
  uint NKV;     // key and value heads; query head h uses number h / (NH / NKV)
  uint window;
#ifdef DROPOUT
  uint first_sequence;  // of the tensor's, in this dispatch
  uint site;
  float drop_p;
  float keep_scale;  // 1 / (1 - drop_p)
#endif
#if BROADCAST == 4
  uint64_t tile_address0;  // of the bindings that hold the two matrices of the other side
  uint64_t tile_address1;
#endif
};

#define UNROLL [[unroll]]
// Elements of a row that an invocation owns; where its last four are beyond the row they are zeros.
#define DIMS ((HS / 4 + SPLIT - 1) / SPLIT * 4)
#define OWNERS (LANES / SPLIT)  // rows that the group owns for each of ROWS
#define LOG2E 1.4426950408889634
#define LN2 0.6931471805599453
#define SCALE inversesqrt(float(HS))
// Finite, so that no difference of scores is a NaN.
#define MASKED -1e38

// Buffers are arrays of WORD. LOAD4 and STORE4 take four elements at a multiple of four; CHUNK_AT brings this
// lane's share of chunk c, CHUNK elements, of the tile row at `base`; the last chunk of a row may be short.
// chunk_element(chunk, i) is element i of the chunk, i a constant.
#if BROADCAST == 0 || BROADCAST == 3
#define WORD WORD4
#define CHUNK 4
#define Chunk vec4
#define LOAD4(words, i) unpack4(words[(i) / 4])
#define STORE4(words, i, value) words[(i) / 4] = pack4(value)
// The place of the four of chunk c in a row, or of the row's last.
#define FOUR_OF(c, lane) min((c) * SPLIT + (lane) % SPLIT, HS / 4 - 1)
#if HS / 4 % SPLIT == 0
#define CHUNK_AT(words, base, c, lane) unpack4(words[(base) / 4 + (c) * SPLIT + (lane) % SPLIT])
#else
#define CHUNK_AT(words, base, c, lane) unpack4(words[(base) / 4 + FOUR_OF(c, lane)])
#endif
float chunk_element(Chunk chunk, uint i) { return chunk[i]; }
#elif BROADCAST == 1 && DTYPE == 0
#define WORD float
#define CHUNK LANES
#define Chunk float
#define LOAD4(words, i) vec4(words[i], words[(i) + 1], words[(i) + 2], words[(i) + 3])
#define STORE4(words, i, value) \
  words[i] = value[0], words[(i) + 1] = value[1], words[(i) + 2] = value[2], words[(i) + 3] = value[3]
#define CHUNK_AT(words, base, c, lane) words[(base) + min((c) * CHUNK + (lane), HS - 1)]
float chunk_element(Chunk chunk, uint i) { return subgroupBroadcast(chunk, i); }
#elif BROADCAST == 2 && DTYPE != 0
#define WORD uint64_t
#define CHUNK (4 * LANES)
#define Chunk vec4
#define LOAD4(words, i) unpack4(unpackUint2x32(words[(i) / 4]))
#define STORE4(words, i, value) words[(i) / 4] = pack_halves(pack4(value))
#define CHUNK_AT(words, base, c, lane) LOAD4(words, (base) + min((c) * CHUNK + 4 * (lane), HS - 4))
float chunk_element(Chunk chunk, uint i) { return subgroupBroadcast(chunk[i % 4], i / 4); }
#else
#if DTYPE == 0
#define WORD uint64_t
vec2 unpack(uint64_t pair) { return uintBitsToFloat(unpackUint2x32(pair)); }
uint64_t pack(vec2 pair) { return pack_halves(floatBitsToUint(pair)); }
#else
#define WORD uint
#define unpack(word) from_pair(word)
#define pack(pair) to_pair(pair)
#endif
#define LOAD4(words, i) vec4(unpack(words[(i) / 2]), unpack(words[(i) / 2 + 1]))
#define STORE4(words, i, value) words[(i) / 2] = pack(value.xy), words[(i) / 2 + 1] = pack(value.zw)
#if BROADCAST == 4
#define CHUNK DIMS
#define Chunk uint64_t
float chunk_element(Chunk chunk, uint i) { return FloatAt(chunk).at[i]; }
#else
#define CHUNK (2 * LANES)
#define Chunk vec2
#define CHUNK_AT(words, base, c, lane) unpack(words[((base) + min((c) * CHUNK + 2 * (lane), HS - 2)) / 2])
float chunk_element(Chunk chunk, uint i) { return subgroupBroadcast(chunk[i % 2], i / 2); }
#endif
#endif
#define CHUNKS ((DIMS + CHUNK - 1) / CHUNK)
// Whether chunk c has an element i. Where all are whole it is one condition: some compilers unroll no loop with two.
#if DIMS % CHUNK == 0
#define IN_CHUNK(c, i) ((i) < CHUNK)
#else
#define IN_CHUNK(c, i) ((i) < CHUNK && (c) * CHUNK + (i) < DIMS)
#endif

// The other side has two matrices (k and v, or q and dout). NEXT_TILE opens the tile whose first row is `at`, where
// `start` is the first row of all; ROW_OF(which, words, base, c, r) is this lane's share of chunk c of the tile's
// row r of matrix `which`, which begins at words[base].
#if BROADCAST == 3
shared WORD4 panels[2][PANEL * HS / 4];
#define NEXT_TILE(at, start, words0, base0, stride0, words1, base1, stride1)         \
  const uint panel_row = ((at) - (start)) % PANEL;                                   \
  if (panel_row == 0) {                                                              \
    barrier();                                                                       \
    for (uint i = lane; i < PANEL * HS / 4; i += LANES) {                            \
      const uint panel_t = min((at) + i / (HS / 4), T - 1);                          \
      panels[0][i] = words0[((base0) + panel_t * (stride0)) / 4 + i % (HS / 4)];     \
      panels[1][i] = words1[((base1) + panel_t * (stride1)) / 4 + i % (HS / 4)];     \
    }                                                                                \
    barrier();                                                                       \
  }                                                                                  \
  uint panel_at = panel_row * (HS / 4);
// What is the same for all r and c is added up first, so that there is no address to keep for each of them.
#if HS / 4 % SPLIT == 0
#define PANEL_PLACE(c, r) lane % SPLIT + ((r) * (HS / 4) + (c) * SPLIT)
#else
#define PANEL_PLACE(c, r) FOUR_OF(c, lane) + (r) * (HS / 4)
#endif
#define ROW_OF(which, words, base, c, r) unpack4(panels[which][panel_at + PANEL_PLACE(c, r)])
#else
#define PANEL 1
#define NEXT_TILE(at, start, words0, base0, stride0, words1, base1, stride1) uint panel_at = 0;
#if BROADCAST == 4
#define ROW_OF(which, words, base, c, r) (((which) == 0 ? tile_address0 : tile_address1) + 4 * uint64_t(base))
#else
#define ROW_OF(which, words, base, c, r) CHUNK_AT(words, base, c, lane)
#endif
#endif

#if BROADCAST == 0 || BROADCAST == 3
uint lane_index() { return gl_SubgroupID * gl_SubgroupSize + gl_SubgroupInvocationID; }
// Sum over the invocations that share a row, the same bits in each.
float sum_parts(float x) {
  UNROLL for (uint step = 1; step < SPLIT; step *= 2) x += subgroupShuffleXor(x, step);
  return x;
}
#else
uint lane_index() { return gl_SubgroupInvocationID; }
float sum_parts(float x) { return x; }
#endif

#if WINDOW
#define SEES(query, key) ((key) <= (query) && (query) - (key) < window)
// The first key that a block of queries from `first` on sees, at the start of a tile; the end of the queries
// that see a key of the `count` from `first` on.
#define FIRST_KEY(first) (((first) + 1 - min((first) + 1, window)) / TILE * TILE)
#define END_OF_QUERIES(first, count) min(T, (first) + (count) + window - 1)
#else
#define SEES(query, key) ((key) <= (query))
#define FIRST_KEY(first) 0
#define END_OF_QUERIES(first, count) T
#endif
#include "attention_documents.glsl"

#ifdef DROPOUT
#include "dropout.glsl"
#include "step_params.glsl"
layout(set = 0, binding = DROPOUT, std430) readonly buffer Step { STEP_PARAMS_MEMBERS } params;
// The mask of four neighbouring probabilities of row `query`, those of the keys from key / 4 * 4 on.
// `head` counts all sequences of the dispatch.
vec4 keep_mask(uint head, uint query, uint key) {
  uint row = (first_sequence * NH + head) * T + query;
  return dropout_mask(uvec2(params.seed_lo, params.seed_hi), params.dropout_step, site, row, key / 4, drop_p,
                      keep_scale);
}
// The masks of `query` for keys key to key + TILE - 1, key a multiple of TILE.
float[TILE] keep_masks(uint head, uint query, uint key) {
  float masks[TILE];
  vec4 mask;
  UNROLL for (uint r = 0; r < TILE; ++r) {
    if (r % 4 == 0) mask = keep_mask(head, query, key + r);
    masks[r] = mask[TILE % 4 == 0 ? r % 4 : (key + r) % 4];
  }
  return masks;
}
// The masks of `key` for queries query to query + TILE - 1. `owner` numbers the invocations that own
// different keys, neighbours next to each other.
float[TILE] keep_masks_of_key(uint head, uint query, uint key, uint owner) {
  float masks[TILE];
#if QUADS && (TILE == 2 || TILE == 4)
  // Four neighbours need the same draws: each makes one of them, and they exchange the components.
  vec4 m = keep_mask(head, min(query + owner % TILE, T - 1), key);
  bool is_odd = owner % 2 != 0;
  vec2 other = is_odd ? m.xz : m.yw;
  other = vec2(subgroupShuffleXor(other.x, SPLIT), subgroupShuffleXor(other.y, SPLIT));
  m = is_odd ? vec4(other.x, m.y, other.y, m.w) : vec4(m.x, other.x, m.z, other.y);
  bool is_upper = owner % 4 >= 2;
#if TILE == 2
  masks[0] = is_upper ? m.z : m.x;
  masks[1] = is_upper ? m.w : m.y;
#else
  other = is_upper ? m.xy : m.zw;
  other = vec2(subgroupShuffleXor(other.x, 2 * SPLIT), subgroupShuffleXor(other.y, 2 * SPLIT));
  m = is_upper ? vec4(other, m.zw) : vec4(m.xy, other);
  UNROLL for (uint r = 0; r < TILE; ++r) masks[r] = m[r];
#endif
#else
  UNROLL for (uint r = 0; r < TILE; ++r) masks[r] = keep_mask(head, min(query + r, T - 1), key)[key % 4];
#endif
  return masks;
}
#endif

// The index in its row of element i of an invocation's part; LOAD_OWN takes four of them of the row at `base`, and
// STORE_OWN, where HAS_FOUR says that the row has them.
uint own_element(uint lane, uint i) { return (i / 4 * SPLIT + lane % SPLIT) * 4 + i % 4; }
#if HS / 4 % SPLIT == 0
#define HAS_FOUR(lane, i) true
#define LOAD_OWN(words, base, lane, i) LOAD4(words, (base) + own_element(lane, i))
#define STORE_OWN(words, base, lane, i, value) STORE4(words, (base) + own_element(lane, i), value)
#else
#define HAS_FOUR(lane, i) (own_element(lane, i) < HS)
#define LOAD_OWN(words, base, lane, i) \
  (HAS_FOUR(lane, i) ? LOAD4(words, (base) + own_element(lane, i)) : vec4(0))
#define STORE_OWN(words, base, lane, i, value) \
  if (HAS_FOUR(lane, i)) STORE4(words, (base) + own_element(lane, i), value)
#endif

// Owned rows, number `which` of a kernel's two: KEEP takes four elements from i on, OWN_SCALE times what is in memory.
// IN_UNITS brings sums of their products to units of log 2.
#if HELD
#define OWN_SCALE (SCALE * LOG2E)
#define IN_UNITS(score) (score)
#define KEEP(own, which, g, lane, i, value) \
  UNROLL for (uint own_j = 0; own_j < 4; ++own_j) own[g][(i) + own_j] = (value)[own_j]
#define OWN_ELEMENT(g, c, i) own[g][(c) * CHUNK + (i)]
#else
#define OWN_SCALE 1
#define IN_UNITS(score) ((score) * (SCALE * LOG2E))
shared WORD4 own_parts[2][ROWS * CHUNKS * LANES];
#define OWN_PART(which, g, at, c) own_parts[which][(at) + ((g) * CHUNKS + (c)) * LANES]
#define KEEP(own, which, g, lane, i, value) OWN_PART(which, g, lane, (i) / 4) = pack4(value)
#define OWN_ELEMENT(g, c, i) part[g][i]
#endif

// Chunk c of a tile is in SLOT(c) of an array of SLOTS. FORGET_TILE between scores and sums: without the barrier
// compilers make one of both readings, and without the minima, which change nothing, of their addresses, and keep all
// that in registers. `own_at` is the invocation's place in own_parts.
#if KEPT
#define SLOTS CHUNKS
#define FORGET_TILE
#else
#define SLOTS 1
#define FORGET_TILE              \
  subgroupMemoryBarrierShared(); \
  panel_at = min(panel_at, PANEL * HS / 4 - 1), own_at = min(own_at, LANES - 1);
#endif
#define SLOT(c) ((c) % SLOTS)

// scores += own tile^T, the part of it that chunk c of the tile's rows gives. `own` holds nothing where HELD is 0.
void add_scores(inout float scores[ROWS][TILE], float own[ROWS][DIMS], uint which, Chunk tile[TILE], uint c,
                uint own_at) {
#if !HELD
  vec4 part[ROWS];
  UNROLL for (uint g = 0; g < ROWS; ++g) part[g] = unpack4(OWN_PART(which, g, own_at, c));
#endif
  UNROLL for (uint i = 0; IN_CHUNK(c, i); ++i) {
    UNROLL for (uint r = 0; r < TILE; ++r) {
      float x = chunk_element(tile[r], i);
      UNROLL for (uint g = 0; g < ROWS; ++g) scores[g][r] += OWN_ELEMENT(g, c, i) * x;
    }
  }
}

// acc += weights tile, the columns of chunk c.
void add_weighted(inout float acc[ROWS][DIMS], float weights[ROWS][TILE], Chunk tile[TILE], uint c) {
  UNROLL for (uint i = 0; IN_CHUNK(c, i); ++i) {
    UNROLL for (uint r = 0; r < TILE; ++r) {
      float x = chunk_element(tile[r], i);
      UNROLL for (uint g = 0; g < ROWS; ++g) acc[g][c * CHUNK + i] += weights[g][r] * x;
    }
  }
}

// Four neighbours of a row that an invocation owns.
vec4 four_of(float own[DIMS], uint i) { return vec4(own[i], own[i + 1], own[i + 2], own[i + 3]); }
