#version 460
#extension GL_GOOGLE_include_directive : require
#extension GL_KHR_shader_subgroup_arithmetic : require
#include "norm_weight.glsl"
#include "row_words.glsl"
#include "subgroup_rows.glsl"

// norm_forward.comp where its rows fit: a subgroup holds its row in registers, WORDS words an invocation, so that every byte is
// read once. C is a multiple of a word.
layout(push_constant) uniform Push {
  uint rows;
  uint C;
  float eps;
};
layout(set = 0, binding = 0, std430) readonly buffer X { ROW_WORD x[]; };        // (rows, C)
layout(set = 0, binding = 1, std430) readonly buffer Weight { vec4 weight[]; };  // (C)
layout(set = 0, binding = 2, std430) writeonly buffer Y { ROW_WORD y[]; };       // (rows, C)
layout(set = 0, binding = 3, std430) writeonly buffer Rstd { float rstd[]; };    // (rows)
#ifdef BIAS
layout(set = 0, binding = BIAS, std430) readonly buffer Bias { vec4 bias[]; };  // (C)
#endif
#ifndef RMS
layout(set = 0, binding = MEAN, std430) writeonly buffer Mean { float mean[]; };  // (rows)
#endif
#ifdef RESIDUAL
layout(set = 0, binding = BRANCH, std430) readonly buffer Branch { ROW_WORD branch[]; };          // (rows, C)
layout(set = 0, binding = RESIDUAL, std430) writeonly buffer Residual { ROW_WORD residual[]; };  // (rows, C)
#endif

void main() {
  const uint lane = gl_SubgroupInvocationID;
  const uint words = C / kWordElements;
  SUBGROUP_ROW_LOOP(row, rows) {
    const uint base = row * words;
    ROW_WORD held[WORDS];
    vec4 sum = vec4(0.0);
    UNROLL for (uint w = 0; w < WORDS; ++w) {
      const uint i = lane + w * gl_SubgroupSize;
      held[w] = ROW_WORD(0);
      if (i < words) {
        held[w] = x[base + i];
#ifdef RESIDUAL
        const ROW_WORD added = branch[base + i];
        UNROLL for (uint p = 0; p < PARTS; ++p) {
          held[w] = with_part(held[w], p, part_of(held[w], p) + part_of(added, p));
        }
        residual[base + i] = held[w];
        held[w] = kept_rounded(held[w], C >> 31);
#endif
        UNROLL for (uint p = 0; p < PARTS; ++p) sum += part_of(held[w], p);
      }
    }
#ifdef RMS
    const float mu = 0.0;
#else
    const float mu = subgroupAdd(sum_of(sum)) / float(C);
#endif
    vec4 squares = vec4(0.0);
    UNROLL for (uint w = 0; w < WORDS; ++w) {
      if (lane + w * gl_SubgroupSize < words) {
        UNROLL for (uint p = 0; p < PARTS; ++p) {
          const vec4 d = part_of(held[w], p) - mu;
          squares += d * d;
        }
      }
    }
    const float scale = inversesqrt(subgroupAdd(sum_of(squares)) / float(C) + eps);
    UNROLL for (uint w = 0; w < WORDS; ++w) {
      const uint i = lane + w * gl_SubgroupSize;
      if (i < words) {
        ROW_WORD result = ROW_WORD(0);
        UNROLL for (uint p = 0; p < PARTS; ++p) {
          vec4 value = (part_of(held[w], p) - mu) * scale * FACTOR(weight[PARTS * i + p]);
#ifdef BIAS
          value += bias[PARTS * i + p];
#endif
          result = with_part(result, p, value);
        }
        y[base + i] = result;
      }
    }
    if (lane == 0) {
#ifndef RMS
      mean[row] = mu;
#endif
      rstd[row] = scale;
    }
  }
}
