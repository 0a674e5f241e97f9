// Shared by attention_forward, attention_backward_dq and attention_backward_dkv.
//
// An invocation owns ROWS rows (queries, or keys in _dkv) of one head and keeps them in registers; it walks
// over the rows of the other side in tiles of TILE rows, which all invocations of the group need. Macros:
//   HS         head size, a multiple of 4
//   LANES      workgroup size
//   ROWS, TILE rows owned by an invocation and rows walked over at a time
//   SPLIT      neighbouring invocations that share a row, each with HS / SPLIT of its elements (a power of 2)
//   BROADCAST  defined on CPU drivers: the workgroup is one subgroup, and an element of a tile is loaded by
//              one lane and broadcast, since a load that is bounds-checked costs more than a shuffle
#extension GL_EXT_control_flow_attributes : require
#extension GL_KHR_shader_subgroup_basic : require
#ifdef BROADCAST
#extension GL_KHR_shader_subgroup_ballot : require
#else
#extension GL_KHR_shader_subgroup_shuffle : require
#endif

layout(local_size_x = LANES) in;

#include "grid.glsl"

layout(push_constant) uniform Push {
  uint T;
  uint NH;
  uint blocks;  // of OWNERS * ROWS rows, per head
  uint groups;  // blocks * heads * sequences
};

#define UNROLL [[unroll]]
#define DIMS (HS / SPLIT)        // elements of a row that an invocation owns
#define OWNERS (LANES / SPLIT)   // rows that the group owns for each of ROWS
#define LOG2E 1.4426950408889634
#define LN2 0.6931471805599453
#define SCALE inversesqrt(float(HS))
// Finite, so that no difference of scores is a NaN.
#define MASKED -1e38

#ifdef BROADCAST
#define CHUNK LANES  // elements of a row that one load of all lanes brings
#define Chunk float
uint lane_index() { return gl_SubgroupInvocationID; }
#else
#define CHUNK 4
#define Chunk vec4
uint lane_index() { return gl_SubgroupID * gl_SubgroupSize + gl_SubgroupInvocationID; }
#endif
#define CHUNKS ((DIMS + CHUNK - 1) / CHUNK)

// Element of an owned row that is element i of the invocation's part.
uint own_element(uint lane, uint i) { return (i / 4 * SPLIT + lane % SPLIT) * 4 + i % 4; }

#ifdef BROADCAST
// Index of what this lane loads of chunk c of the row at `base`; the last chunk may be short.
uint chunk_index(uint base, uint c, uint lane) { return base + min(c * CHUNK + lane, HS - 1); }
#define CHUNK_AT(buffer_name, base, c, lane) buffer_name[chunk_index(base, c, lane)]
float chunk_element(Chunk chunk, uint i) { return subgroupBroadcast(chunk, i); }
float sum_parts(float x) { return x; }
#else
#define CHUNK_AT(buffer_name, base, c, lane) buffer_name##4[(base) / 4 + (c) * SPLIT + (lane) % SPLIT]
float chunk_element(Chunk chunk, uint i) { return chunk[i]; }
// Sum over the invocations that share a row, the same bits in each.
float sum_parts(float x) {
  UNROLL for (uint step = 1; step < SPLIT; step *= 2) x += subgroupShuffleXor(x, step);
  return x;
}
#endif
