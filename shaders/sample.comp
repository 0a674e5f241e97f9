#version 460
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#extension GL_KHR_memory_scope_semantics : require
#extension GL_KHR_shader_subgroup_arithmetic : require
#include "workgroup.glsl"

// Draws a token from each row of logits, one workgroup a row (ops/sample.hpp says what is drawn).
//
// A weight exp((logit - largest) / temperature) is a whole number of 2^-44 in two words (low, high): sums of weights
// are exact and do not depend on their order, and so are atomics on them. Each choice is a radix selection: a pass
// over the logits adds up counts and weights in kBins bins, a scan finds the bin in which the sum reaches what is
// sought, and the next pass divides that bin.
// - top_k and top_p select by key, the likeliest first: (distance from the largest logit in temperatures, as 32-bit
//   fixed point that spreads the tokens over the bins; then the logit's own bits, so that only equal logits tie). They
//   end as soon as a bin holds one token.
// - The draw selects by token.
const uint kBins = 256;
// exp(-kFarthest) < 2^-44: tokens farther from the largest logit weigh nothing.
const float kFarthest = 30.5;
const uint kSmallest = 0x007fffffu;  // order() of -inf

const uint kDrawn = 0, kNotFinite = 1, kNoneLeft = 2;

layout(push_constant) uniform Push {
  uint rows;
  uint V;
  uint groups_of_four;  // of a row, Vp / 4
};
struct Control {
  uint tokens;              // of which one is drawn, the first ones; 0: none is
  float inverse_temperature;  // 0: the first of the largest
  uint top_k;               // 0: off
  uint top_p;               // in units of 2^-32; 0: off
  uint random_low;          // a 64-bit fraction of 1
  uint random_high;
};
layout(set = 0, binding = 0, std430) readonly buffer Logits { vec4 logits[]; };         // (rows, Vp / 4)
layout(set = 0, binding = 1, std430) readonly buffer Controls { Control controls[]; };  // (rows)
layout(set = 0, binding = 2, std430) writeonly buffer Drawn { uvec2 drawn[]; };         // (rows): token, status

// A sum of weights (low, high) and the number of tokens.
#define Sum uvec3

shared Sum scanned[kBins];
shared uint bin_low[kBins], bin_high[kBins], bin_count[kBins];
shared uint found_bin;
shared Sum found_before, found_within;
shared uint best_order, best_token, has_broken;

// Of the row.
uint row_base;
uint tokens;
float largest, inverse_temperature;

// On shared memory, and of its scope.
#define SHARED_ATOMIC(op, where, value) op(where, value, gl_ScopeWorkgroup, gl_StorageSemanticsShared, gl_SemanticsRelaxed)

uvec2 plus(uvec2 a, uvec2 b) {
  uint carry;
  const uint low = uaddCarry(a.x, b.x, carry);
  return uvec2(low, a.y + b.y + carry);
}
uvec2 minus(uvec2 a, uvec2 b) {
  uint borrow;
  const uint low = usubBorrow(a.x, b.x, borrow);
  return uvec2(low, a.y - b.y - borrow);
}
bool is_less(uvec2 a, uvec2 b) { return a.y != b.y ? a.y < b.y : a.x < b.x; }
Sum plus(Sum a, Sum b) { return Sum(plus(a.xy, b.xy), a.z + b.z); }

// floor(a b / 2^32).
uvec2 times_fraction(uvec2 a, uint b) {
  uint high0, low0, high1, low1;
  umulExtended(a.x, b, high0, low0);
  umulExtended(a.y, b, high1, low1);
  return plus(uvec2(low1, high1), uvec2(high0, 0));
}
// floor(a b / 2^64).
uvec2 times_fraction(uvec2 a, uvec2 b) {
  uint high, low;
  umulExtended(a.x, b.y, high, low);
  const uvec2 middle = plus(times_fraction(a, b.x), uvec2(low, 0));  // below 2^64
  uvec2 upper;
  umulExtended(a.y, b.y, upper.y, upper.x);
  return plus(upper, plus(uvec2(middle.y, 0), uvec2(high, 0)));
}
uvec2 times(uvec2 a, uint b) {
  uint high, low;
  umulExtended(a.x, b, high, low);
  return uvec2(low, high + a.y * b);
}

// Whole numbers in the order of floats; zeros are equal.
uint order(float x) {
  const uint bits = floatBitsToUint(x);
  if (bits << 1 == 0) return 0x80000000u;
  return bits >> 31 == 1 ? ~bits : bits | 0x80000000u;
}
float from_order(uint key) { return uintBitsToFloat(key >> 31 == 1 ? key & 0x7fffffffu : ~key); }

float distance_of(float x) {
  precise const float distance = (largest - x) * inverse_temperature;
  return distance;
}
uvec2 key_of(float x, float distance) { return uvec2(~order(x), uint(distance * 134217728.0)); }

uvec2 weight_of(float distance) {
  precise const float scaled = exp(-distance) * 4096.0;
  const float whole = floor(scaled);
  return uvec2(uint((scaled - whole) * 4294967296.0), uint(whole));
}

// The leading bits of a key, up to which tokens are kept.
struct Cut {
  uvec2 key;
  uvec2 mask;
};
bool is_before(uvec2 key, Cut cut) { return is_less(key & cut.mask, cut.key); }
bool is_at(uvec2 key, Cut cut) { return (key & cut.mask) == cut.key; }

void clear_bins() {
  [[dont_unroll]] for (uint bin = gl_LocalInvocationID.x; bin < kBins; bin += gl_WorkGroupSize.x) {
    bin_low[bin] = 0;
    bin_high[bin] = 0;
    bin_count[bin] = 0;
  }
  barrier();
}

void add_to_bin(uint bin, Sum sum) {
  uint high = sum.y;
  if (sum.x != 0 && SHARED_ATOMIC(atomicAdd, bin_low[bin], sum.x) > ~sum.x) ++high;
  if (high != 0) SHARED_ATOMIC(atomicAdd, bin_high[bin], high);
  if (sum.z != 0) SHARED_ATOMIC(atomicAdd, bin_count[bin], sum.z);
}

Sum sum_of_bin(uint bin) { return Sum(bin_low[bin], bin_high[bin], bin_count[bin]); }

// Sums up to each invocation's share of the bins, in `scanned`; gives the sum over all.
Sum scan_bins() {
  const uint local = gl_LocalInvocationID.x, share = kBins / gl_WorkGroupSize.x;
  barrier();
  Sum sum = Sum(0);
  [[dont_unroll]] for (uint i = 0; i < share; ++i) sum = plus(sum, sum_of_bin(local * share + i));
  scanned[local] = sum;
  [[dont_unroll]] for (uint step = 1; step < gl_WorkGroupSize.x; step *= 2) {
    barrier();
    const Sum earlier = local >= step ? scanned[local - step] : Sum(0);
    barrier();
    sum = plus(sum, earlier);
    scanned[local] = sum;
  }
  barrier();
  return scanned[gl_WorkGroupSize.x - 1];
}

bool is_past(Sum sum, uvec2 sought, bool by_count) {
  return by_count ? sought.x < sum.z : is_less(sought, sum.xy);
}

// After scan_bins: the bin before which at most `sought` (less than all) has come, and after which more has.
void find_bin(uvec2 sought, bool by_count) {
  const uint local = gl_LocalInvocationID.x, share = kBins / gl_WorkGroupSize.x;
  Sum before = local == 0 ? Sum(0) : scanned[local - 1];
  if (!is_past(before, sought, by_count) && is_past(scanned[local], sought, by_count)) {
    [[dont_unroll]] for (uint i = 0; i < share; ++i) {
      const Sum within = sum_of_bin(local * share + i);
      const Sum through = plus(before, within);
      if (is_past(through, sought, by_count)) {
        found_bin = local * share + i;
        found_before = before;
        found_within = within;
        break;
      }
      before = through;
    }
  }
  barrier();
}

// An invocation reads two groups of four tokens at a time, `group` and the one a workgroup later, of those before `end`.
// What it does with each logit is code that stands once: shift() moves the logits along.
const uint kAtOnce = 8;
#define STRIDE (2 * gl_WorkGroupSize.x)

void load(uint group, uint end, out vec4 first, out vec4 second) {
  first = logits[row_base + min(group, end - 1)];
  second = logits[row_base + min(group + gl_WorkGroupSize.x, end - 1)];
}
float shift(inout vec4 first, inout vec4 second) {
  const float x = first.x;
  first = vec4(first.yzw, second.x);
  second = second.yzww;
  return x;
}
uint token_of(uint group, uint i) { return (group + i / 4 * gl_WorkGroupSize.x) * 4 + i % 4; }

// The largest logit, the first token that has it, and whether one is NaN or +inf.
void find_largest() {
  const uint end = (tokens + 3) / 4;
  if (gl_LocalInvocationID.x == 0) {
    best_order = 0;
    best_token = ~0u;
    has_broken = 0;
  }
  uint best = 0, at = ~0u;
  bool is_broken = false;
  [[dont_unroll]] for (uint group = gl_LocalInvocationID.x; group < end; group += STRIDE) {
    vec4 first, second;
    load(group, end, first, second);
    [[unroll]] for (uint i = 0; i < kAtOnce; ++i) {
      const float x = shift(first, second);
      const uint token = token_of(group, i);
      if (token >= tokens) continue;
      const uint bits = floatBitsToUint(x);
      is_broken = is_broken || ((bits & 0x7f800000u) == 0x7f800000u && bits != 0xff800000u);
      const uint key = order(x);
      if (key > best) {
        best = key;
        at = token;
      }
    }
  }
  barrier();
  const uint of_subgroup = subgroupMax(best);
  if (gl_SubgroupInvocationID == 0) SHARED_ATOMIC(atomicMax, best_order, of_subgroup);
  if (is_broken) SHARED_ATOMIC(atomicOr, has_broken, 1u);
  barrier();
  if (best == best_order) SHARED_ATOMIC(atomicMin, best_token, at);
  barrier();
}

// Divides the tokens of `cut` that `kept` keeps by the eight bits of their keys below the cut's.
void add_keys(Cut kept, Cut cut, uint level, bool with_weights) {
  const uint end = (tokens + 3) / 4, shift_of_digit = 24 - level % 4 * 8;
  [[dont_unroll]] for (uint group = gl_LocalInvocationID.x; group < end; group += STRIDE) {
    vec4 first, second;
    load(group, end, first, second);
    [[dont_unroll]] for (uint i = 0; i < kAtOnce; ++i) {
      const float x = shift(first, second);
      const float distance = distance_of(x);
      if (token_of(group, i) >= tokens || !(distance < kFarthest)) continue;
      const uvec2 key = key_of(x, distance);
      if (!is_at(key, cut) || !(is_before(key, kept) || is_at(key, kept))) continue;
      const uint bin = ((level < 4 ? key.y : key.x) >> shift_of_digit) & (kBins - 1);
      add_to_bin(bin, Sum(with_weights ? weight_of(distance) : uvec2(0), 1));
    }
  }
}

// The cut of top_k, or of top_p within `kept`. `ties` are the tokens at the cut that are kept, in the order of tokens,
// where that is not all of them, else 0.
Cut select_keys(Cut kept, uint limit, bool by_count, out uint ties) {
  Cut cut = Cut(uvec2(0), uvec2(0));
  uvec2 sought = uvec2(0);
  ties = 0;
  [[dont_unroll]] for (uint level = 0; level < 8; ++level) {
    clear_bins();
    add_keys(kept, cut, level, !by_count);
    const Sum all = scan_bins();
    if (level == 0) {
      if (by_count && all.z <= limit) return cut;
      sought = by_count ? uvec2(limit, 0) : times_fraction(all.xy, limit);
      if (sought != uvec2(0)) sought = minus(sought, uvec2(1, 0));
    }
    find_bin(sought, by_count);
    sought = minus(sought, by_count ? uvec2(found_before.z, 0) : found_before.xy);
    const uint shift = 24 - level % 4 * 8;
    const uvec2 digit = level < 4 ? uvec2(0, 1u << shift) : uvec2(1u << shift, 0);
    cut.key |= digit * found_bin;
    cut.mask |= digit * (kBins - 1);
    if (found_within.z == 1) return cut;
  }
  if (by_count) return cut;
  // Equal logits: the last is the first whose weights exceed what is sought.
  const uvec2 weight = weight_of(distance_of(from_order(~cut.key.x)));
  uint before = 0;
  [[dont_unroll]] for (uint bit = 1u << 19; bit > 0; bit /= 2) {
    if (!is_less(sought, times(weight, before + bit))) before += bit;
  }
  if (before + 1 < found_within.z) ties = before + 1;
  return cut;
}

// The sum over a subgroup of sums of a few tokens.
Sum subgroup_sum(Sum sum) {
  const uint low = subgroupAdd(sum.x & 0xffffu), middle = subgroupAdd(sum.x >> 16);
  const uvec2 total = plus(uvec2(low, subgroupAdd(sum.y)), uvec2(middle << 16, middle >> 16));
  return Sum(total, subgroupAdd(sum.z));
}

// Sums over tokens begin.. of each of the bins of 2^bin_shift: weights of those that are drawn from, and the number of ties
// of which only some are.
void add_tokens(Cut kept, Cut cut, uint ties, uint begin, uint end, uint bin_shift) {
  const uint last = (end + 3) / 4;
  // A subgroup's tokens, which are neighbours, are in one bin.
  const bool is_together = begin % 4 == 0 && gl_SubgroupSize * 4 <= 1u << bin_shift;
  const uint lane = gl_SubgroupID * gl_SubgroupSize + gl_SubgroupInvocationID;
  [[dont_unroll]] for (uint group = begin / 4; group < last; group += STRIDE) {
    vec4 first, second;
    load(group + lane, last, first, second);
    Sum sum = Sum(0);
    [[dont_unroll]] for (uint i = 0; i < kAtOnce; ++i) {
      const float x = shift(first, second);
      const uint token = token_of(group + lane, i);
      const float distance = distance_of(x);
      if (token >= begin && token < end && distance < kFarthest) {
        const uvec2 key = key_of(x, distance);
        const bool is_tie = is_at(key, cut);
        if ((is_before(key, kept) || is_at(key, kept)) && (is_tie || is_before(key, cut))) {
          sum = plus(sum, is_tie && ties > 0 ? Sum(0, 0, 1) : Sum(weight_of(distance), 0));
        }
      }
      bool adds = !is_together && sum != Sum(0);
      if (is_together && i % 4 == 3) {
        sum = subgroup_sum(sum);
        adds = gl_SubgroupInvocationID == 0 && sum != Sum(0);
      }
      if (adds) add_to_bin((token - begin) >> bin_shift, sum);
      if (!is_together || i % 4 == 3) sum = Sum(0);
    }
  }
}

// After scan_bins: adds the weight of the first `ties` ties to their bins.
void weigh_ties(uint ties, uint ties_before, uvec2 weight) {
  const uint local = gl_LocalInvocationID.x, share = kBins / gl_WorkGroupSize.x;
  uint rank = ties_before + (local == 0 ? 0 : scanned[local - 1].z);
  [[dont_unroll]] for (uint bin = local * share; bin < (local + 1) * share; ++bin) {
    const uint count = bin_count[bin];
    const uvec2 total = plus(sum_of_bin(bin).xy, times(weight, min(count, ties - min(ties, rank))));
    bin_low[bin] = total.x;
    bin_high[bin] = total.y;
    rank += count;
  }
}

uint draw(Cut kept, Cut cut, uint ties, uvec2 random) {
  const uvec2 tie_weight = ties > 0 ? weight_of(distance_of(from_order(~cut.key.x))) : uvec2(0);
  uint begin = 0, end = tokens, ties_before = 0, bin_shift = 0;
  while ((tokens - 1) >> bin_shift >= kBins) ++bin_shift;
  uvec2 sought = uvec2(0);
  [[dont_unroll]] for (bool is_first = true;; is_first = false) {
    clear_bins();
    add_tokens(kept, cut, ties, begin, end, bin_shift);
    Sum all = scan_bins();
    if (ties > 0) {
      weigh_ties(ties, ties_before, tie_weight);
      all = scan_bins();
    }
    if (is_first) sought = times_fraction(all.xy, random);
    find_bin(sought, false);
    sought = minus(sought, found_before.xy);
    ties_before += found_before.z;
    begin += found_bin << bin_shift;
    if (bin_shift == 0) return begin;
    end = min(end, begin + (1u << bin_shift));
    bin_shift = max(bin_shift, 8) - 8;
  }
}

// The token (0 where none is drawn) and the status.
uvec2 draw_row(Control control) {
  if (tokens == 0) return uvec2(0, kNoneLeft);
  find_largest();
  if (has_broken != 0) return uvec2(0, kNotFinite);
  if (best_order <= kSmallest) return uvec2(0, kNoneLeft);
  if (control.inverse_temperature == 0.0) return uvec2(best_token, kDrawn);
  largest = from_order(best_order);
  inverse_temperature = control.inverse_temperature;
  Cut kept = Cut(uvec2(0), uvec2(0)), cut = kept;
  uint ties = 0;
  [[dont_unroll]] for (uint pass_number = 0; pass_number < 2; ++pass_number) {
    const bool by_count = pass_number == 0;
    if ((by_count ? control.top_k : control.top_p) == 0) continue;
    cut = select_keys(kept, by_count ? control.top_k : control.top_p, by_count, ties);
    if (by_count) kept = cut;
  }
  return uvec2(draw(kept, cut, ties, uvec2(control.random_low, control.random_high)), kDrawn);
}

void main() {
  const uint row = grid_group();
  if (row >= rows) return;
  const Control control = controls[row];
  tokens = min(control.tokens, V);
  row_base = row * groups_of_four;
  const uvec2 result = draw_row(control);
  if (gl_LocalInvocationID.x == 0) drawn[row] = result;
}
