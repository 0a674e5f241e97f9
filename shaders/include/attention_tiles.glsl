// Shared by the attention kernels on cooperative matrices (attention_khr.glsl, attention_nv.glsl): push constants,
// visibility of keys, and staging in shared memory. The includer defines LANES (invocations), OWN (rows that a
// workgroup owns), TILE, HS, DTYPE, WINDOW, UNROLL_STAGING and, where there are several, DOCUMENTS. Of the forward the
// host may set CACHED, 1: the keys and values are those of a cache (attention_keys.glsl), and ROWS_DTYPE, the type of
// qkv and the output, DTYPE being that of the cache.
#extension GL_EXT_control_flow_attributes : require
#extension GL_EXT_shader_explicit_arithmetic_types_float16 : require
#extension GL_KHR_cooperative_matrix : require
#extension GL_KHR_memory_scope_semantics : require
#if DTYPE == 2
#extension GL_EXT_bfloat16 : require
#define OPERAND bfloat16_t
#else
#define OPERAND float16_t
#endif
#ifndef CACHED
#define CACHED 0
#endif
#ifndef ROWS_DTYPE
#define ROWS_DTYPE DTYPE
#endif

#include "packed.glsl"

layout(local_size_x = LANES) in;

#include "grid.glsl"

layout(push_constant) uniform Push {
  uint T;
  uint NH;
  uint blocks;  // of OWN rows, per head
  uint groups;  // blocks * heads * sequences
  uint NKV;     // key and value heads; query head h uses number h / (NH / NKV)
  uint window;
#if CACHED
  uint T_max;
  uint slots;
#endif
};

#define UNROLL [[unroll]]
#define LOG2E 1.4426950408889634
#define LN2 0.6931471805599453
#define SCALE inversesqrt(float(HS))
// Finite, so that no difference of scores is a NaN.
#define MASKED -1e38

#if WINDOW
#define SEES(query, key) ((key) <= (query) && (query) - (key) < window)
#define FIRST_KEY(first) (((first) + 1 - min((first) + 1, window)) / TILE * TILE)
#define END_OF_QUERIES(first) min(T, (first) + OWN + window - 1)
#else
#define SEES(query, key) ((key) <= (query))
#define FIRST_KEY(first) 0
#define END_OF_QUERIES(first) T
#endif
#include "attention_documents.glsl"

#define ROW_WORDS ((HS + 8) / 4)  // of four elements in a staged row of q, k, v or dout, padded to spread over banks

// Four elements as operands.
uvec2 operands_of(uvec2 word) { return word; }
#if ROWS_DTYPE != DTYPE
uvec2 operands_of(vec4 x) { return pack4(within_f16(x)); }
#endif

// Stages `rows` rows of `source` from `first` on, clamped to those before `end`, in the rows of `target` from
// `target_row` on; row r of `source` is at element base + r * stride.
#define STAGE_ROWS(target, target_row, source, base, stride, first, rows, end)             \
  UNROLL_STAGING for (uint start = 0; start < (rows) * HS / 4; start += LANES) {               \
    uint item = start + gl_LocalInvocationIndex;                                                      \
    uint r = item / (HS / 4);                                                              \
    uint c = item % (HS / 4);                                                              \
    if ((rows) * HS / 4 % LANES == 0 || r < (rows)) {                                      \
      target[((target_row) + r) * ROW_WORDS + c] =                                         \
          operands_of(source[((base) + min((first) + r, (end) - 1) * (stride)) / 4 + c]);  \
    }                                                                                      \
  }
