#version 460
#extension GL_GOOGLE_include_directive : require
#extension GL_KHR_shader_subgroup_arithmetic : require
#include "logit_words.glsl"
#include "softcap.glsl"
#include "workgroup.glsl"

// loss = log(sum_c exp(z[c])) - z[target] over the V real columns, one workgroup a row. One pass finds the maximum and,
// relative to it, the sums, which are adjusted when it grows. z are the logits, with SOFTCAP cap * tanh(logits / cap). With SHAPED the objective is
//   (1 - smoothing) * loss + smoothing * (lse - mean_c(z)) + z_loss * lse^2.
// With BACKWARD the row becomes its gradient in place:
//   dz = (softmax - onehot) * upstream, with SHAPED
//        (softmax * (1 + 2 z_loss lse) - (1 - smoothing) onehot - smoothing / V) * upstream;
//   dlogits = dz * dz/dlogits, and 0 in the padding.
// upstream is grad_scale, with LOSS_SCALE and WEIGHTS (the numbers of their bindings) times that and the row's weight. A row whose target is no
// column (negative: ignored) has loss 0 and gradient 0.
layout(push_constant) uniform Push {
  uint rows;
  uint V;
  uint Vp;
  uint first_row;  // place of the rows among the targets and losses
  float grad_scale;
  float cap;
  float smoothing;
  float z_loss;
};
layout(set = 0, binding = 0, std430)
#ifndef BACKWARD
    readonly
#endif
    buffer Logits { STORED_WORD logits[]; };                                       // (rows, Vp)
layout(set = 0, binding = 1, std430) readonly buffer Targets { int targets[]; };   // (>= first_row + rows)
layout(set = 0, binding = 2, std430) writeonly buffer Losses { float losses[]; };  // (>= first_row + rows)
#ifdef LOSS_SCALE
layout(set = 0, binding = LOSS_SCALE, std430) readonly buffer LossScale { uint loss_scale[]; };
#endif
#ifdef WEIGHTS
layout(set = 0, binding = WEIGHTS, std430) readonly buffer Weights { float weights[]; };  // as the losses
#endif

const float kLowest = -3.4028234e38;

float capped(float x) {
#ifdef SOFTCAP
  return softcap(x, cap);
#else
  return x;
#endif
}
float cap_grad(float x) {
#ifdef SOFTCAP
  return softcap_grad(x, cap);
#else
  return 1.0;
#endif
}

// z of a part of a word.
VALUES z_of(ROW_WORD word, uint part) {
  const VALUES x = part_of(word, part);
  return EACH(capped, x);
}

// What an invocation has seen of its row.
struct Seen {
  float largest;
  float of_exp;  // sum of exp(z - largest)
  float below;   // sum of z - largest
  float count;
};

// Puts the sums relative to a new maximum.
void grow(inout Seen seen, float largest) {
  seen.of_exp *= exp(seen.largest - largest);
  seen.below += seen.count * (seen.largest - largest);
  seen.largest = largest;
}

// Words of an invocation that are loaded together: 16 values, 8 on CPU drivers and beside hyperbolic tangents, which
// leave registers for no more.
#if WORD_BYTES == 8 || defined(SOFTCAP)
const uint kChunk = 8 / (COMPONENTS * PARTS);
#else
const uint kChunk = 16 / (COMPONENTS * PARTS);
#endif

// Takes kChunk words of this invocation from logits[i] on, all of whose columns are real.
void add_chunk(inout Seen seen, uint i) {
  VALUES z[kChunk * PARTS];
  UNROLL for (uint w = 0; w < kChunk; ++w) {
    const ROW_WORD word = loaded(logits[i + w * gl_WorkGroupSize.x]);
    UNROLL for (uint p = 0; p < PARTS; ++p) z[w * PARTS + p] = z_of(word, p);
  }
  VALUES largest = z[0];
  UNROLL for (uint j = 1; j < kChunk * PARTS; ++j) largest = max(largest, z[j]);
  grow(seen, max(seen.largest, largest_of_values(largest)));
  VALUES of_exp = VALUES(0.0), below = VALUES(0.0);
  UNROLL for (uint j = 0; j < kChunk * PARTS; ++j) {
    const VALUES d = z[j] - seen.largest;
    of_exp += exp(d);
    below += d;
  }
  seen.of_exp += sum_of_values(of_exp);
  seen.below += sum_of_values(below);
  seen.count += float(kChunk * PARTS * COMPONENTS);
}

// Takes word `i` of the row from `base` on, as far as its columns are real.
void add_word(inout Seen seen, uint base, uint i) {
  const ROW_WORD word = loaded(logits[base + i]);
  UNROLL for (uint p = 0; p < PARTS; ++p) {
    const VALUES z = z_of(word, p);
    const COLUMNS columns = columns_of(i, p);
    const VALUES known = mix(VALUES(kLowest), z, are_below(columns, V));
    grow(seen, max(seen.largest, largest_of_values(known)));
    const VALUES d = z - seen.largest;
    const VALUES of_exp = mix(VALUES(0.0), exp(d), are_below(columns, V));
    const VALUES below = mix(VALUES(0.0), d, are_below(columns, V));
    const VALUES ones = mix(VALUES(0.0), VALUES(1.0), are_below(columns, V));
    seen.of_exp += sum_of_values(of_exp);
    seen.below += sum_of_values(below);
    seen.count += sum_of_values(ones);
  }
}

#ifdef BACKWARD
// Overwrites the row from `base` on with its gradient.
void differentiate(uint row, uint base, uint target, float largest, float sum) {
  float upstream = grad_scale;
#ifdef LOSS_SCALE
  upstream *= uintBitsToFloat(loss_scale[0]);
#endif
#ifdef WEIGHTS
  upstream *= weights[first_row + row];
#endif
#ifdef SHAPED
  const float scale = upstream / sum * (1.0 + 2.0 * z_loss * (largest + log(sum)));
  const float at_target = upstream * (1.0 - smoothing);
  const float everywhere = upstream * smoothing / float(V);
#else
  const float scale = upstream / sum;
  const float at_target = upstream;
  const float everywhere = 0.0;
#endif
  for (uint i = gl_LocalInvocationID.x; i < Vp / kWordElements; i += gl_WorkGroupSize.x) {
    ROW_WORD word = loaded(logits[base + i]);
    UNROLL for (uint p = 0; p < PARTS; ++p) {
      const COLUMNS columns = columns_of(i, p);
      const VALUES x = part_of(word, p);
      VALUES d = exp(z_of(word, p) - largest) * scale - everywhere;
      d -= mix(VALUES(0.0), VALUES(at_target), are_equal(columns, target));
      d *= EACH(cap_grad, x);
      word = with_part(word, p, mix(VALUES(0.0), d, are_below(columns, V)));
    }
    logits[base + i] = stored(word);
  }
}
#endif

void main() {
  const uint row = grid_group();
  if (row >= rows) return;
  const uint base = row * (Vp / kWordElements);
  const uint local = gl_LocalInvocationID.x;
  const uint target = uint(targets[first_row + row]);
  if (target >= V) {
    if (local == 0) losses[first_row + row] = 0.0;
#ifdef BACKWARD
    for (uint i = local; i < Vp / kWordElements; i += gl_WorkGroupSize.x) logits[base + i] = stored(ROW_WORD(0));
#endif
    return;
  }

  Seen seen = Seen(kLowest, 0.0, 0.0, 0.0);
  const uint chunk = kChunk * gl_WorkGroupSize.x;
  const uint whole = V / kWordElements / chunk * chunk;
  for (uint i = local; i < whole; i += chunk) add_chunk(seen, base + i);
  for (uint i = whole + local; i * kWordElements < V; i += gl_WorkGroupSize.x) add_word(seen, base, i);
  grow(seen, workgroup_max(seen.largest));
  const float sum = workgroup_sum(seen.of_exp);
#ifdef SHAPED
  const float mean_below = workgroup_sum(seen.below) / float(V);
  const float lse = seen.largest + log(sum);
#endif

  // The invocation that owns the target's column reads it before overwriting it below.
  if (target / kWordElements % gl_WorkGroupSize.x == local) {
    const ROW_WORD word = loaded(logits[base + target / kWordElements]);
    VALUES at_target = VALUES(0.0);
    UNROLL for (uint p = 0; p < PARTS; ++p) {
      const COLUMNS columns = columns_of(target / kWordElements, p);
      at_target += mix(VALUES(0.0), z_of(word, p) - seen.largest, are_equal(columns, target));
    }
    const float z = sum_of_values(at_target);
#ifdef SHAPED
    losses[first_row + row] =
        (1.0 - smoothing) * (log(sum) - z) + smoothing * (log(sum) - mean_below) + z_loss * lse * lse;
#else
    losses[first_row + row] = log(sum) - z;
#endif
  }
#ifdef BACKWARD
  differentiate(row, base, target, seen.largest, sum);
#endif
}
