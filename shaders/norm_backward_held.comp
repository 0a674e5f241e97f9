#version 460
#extension GL_GOOGLE_include_directive : require
#extension GL_KHR_shader_subgroup_arithmetic : require
#include "norm_weight.glsl"
#include "row_words.glsl"
#include "subgroup_rows.glsl"

// norm_backward.comp and norm_backward_partial.comp in one pass where rows fit: a subgroup takes a block of rows, holds each
// in registers, WORDS words an invocation, and beside it the block's sums of dweight and dbias. C is a multiple of a
// word. DWEIGHT and DBIAS, where defined, are the places of the two among the SUMS of a block; PARTIALS is the number
// of their binding.
layout(push_constant) uniform Push {
  uint rows;
  uint C;
  uint blocks;
  uint rows_per_block;
};
layout(set = 0, binding = 0, std430) readonly buffer DY { ROW_WORD dy[]; };      // (rows, C)
layout(set = 0, binding = 1, std430) readonly buffer X { ROW_WORD x[]; };        // (rows, C)
layout(set = 0, binding = 2, std430) readonly buffer Weight { vec4 weight[]; };  // (C)
layout(set = 0, binding = 3, std430) readonly buffer Rstd { float rstd[]; };     // (rows)
layout(set = 0, binding = 4, std430) buffer DX { ROW_WORD dx[]; };               // (rows, C)
#ifndef RMS
layout(set = 0, binding = MEAN, std430) readonly buffer Mean { float mean[]; };  // (rows)
#endif
#ifdef PARTIALS
layout(set = 0, binding = PARTIALS, std430) writeonly buffer Partials { vec4 partials[]; };  // (blocks, SUMS, C)
#endif

vec4 dweight[WORDS * PARTS];
vec4 dbias[WORDS * PARTS];

#ifdef PARTIALS
// The sums of a block of rows.
void write_partials(uint block) {
  UNROLL for (uint w = 0; w < WORDS; ++w) {
    const uint i = gl_SubgroupInvocationID + w * gl_SubgroupSize;
    if (i < C / kWordElements) {
      UNROLL for (uint p = 0; p < PARTS; ++p) {
#ifdef DWEIGHT
        partials[(SUMS * block + DWEIGHT) * (C / 4) + PARTS * i + p] = dweight[PARTS * w + p];
#endif
#ifdef DBIAS
        partials[(SUMS * block + DBIAS) * (C / 4) + PARTS * i + p] = dbias[PARTS * w + p];
#endif
      }
    }
  }
}
#endif

void main() {
  const uint lane = gl_SubgroupInvocationID;
  const uint words = C / kWordElements;
  SUBGROUP_ROW_LOOP(block, blocks) {
    UNROLL for (uint i = 0; i < WORDS * PARTS; ++i) dweight[i] = dbias[i] = vec4(0.0);
    const uint first = block * rows_per_block;
    const uint end = min(rows, first + rows_per_block);
    for (uint row = first; row < end; ++row) {
      const uint base = row * words;
#ifdef RMS
      const float mu = 0.0;
#else
      const float mu = mean[row];
#endif
      const float scale = rstd[row];
      ROW_WORD dy_held[WORDS];
      ROW_WORD x_held[WORDS];
      vec4 sum_g = vec4(0.0);
      vec4 sum_g_xhat = vec4(0.0);
      UNROLL for (uint w = 0; w < WORDS; ++w) {
        const uint i = lane + w * gl_SubgroupSize;
        dy_held[w] = x_held[w] = ROW_WORD(0);
        if (i < words) {
          dy_held[w] = dy[base + i];
          x_held[w] = x[base + i];
          UNROLL for (uint p = 0; p < PARTS; ++p) {
            const vec4 d = part_of(dy_held[w], p);
            const vec4 xhat = (part_of(x_held[w], p) - mu) * scale;
            const vec4 g = d * FACTOR(weight[PARTS * i + p]);
            sum_g += g;
            sum_g_xhat += g * xhat;
            dweight[PARTS * w + p] += d * xhat;
            dbias[PARTS * w + p] += d;
          }
        }
      }
#ifdef RMS
      const float mean_g = 0.0;
#else
      const float mean_g = subgroupAdd(sum_of(sum_g)) / float(C);
#endif
      const float mean_g_xhat = subgroupAdd(sum_of(sum_g_xhat)) / float(C);
      UNROLL for (uint w = 0; w < WORDS; ++w) {
        const uint i = lane + w * gl_SubgroupSize;
        if (i < words) {
#ifdef ACCUMULATE
          ROW_WORD result = dx[base + i];
#else
          ROW_WORD result = ROW_WORD(0);
#endif
          UNROLL for (uint p = 0; p < PARTS; ++p) {
            const vec4 xhat = (part_of(x_held[w], p) - mu) * scale;
            const vec4 g = part_of(dy_held[w], p) * FACTOR(weight[PARTS * i + p]);
            vec4 d = (g - mean_g - xhat * mean_g_xhat) * scale;
#ifdef ACCUMULATE
            d += part_of(result, p);
#endif
            result = with_part(result, p, d);
          }
          dx[base + i] = result;
        }
      }
    }
#ifdef PARTIALS
    write_partials(block);
#endif
  }
}
