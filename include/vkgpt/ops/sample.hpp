#pragma once

#include <cstdint>

#include "vkgpt/plan/plan_builder.hpp"

namespace vkgpt::ops {

/// How the token of a row is drawn, as the kernel reads it: a row of `Sample::controls`.
struct SampleControl {
  std::uint32_t tokens = 0;       // one of the first `tokens` is drawn; 0: none is, and the row is not read
  float inverse_temperature = 0;  // 0: the first of the largest logits is taken; at most kMostInverse
  std::uint32_t top_k = 0;        // draws among the k likeliest and those that tie with the last; 0: off
  std::uint32_t top_p = 0;        // in units of 2^-32; 0: off
  std::uint32_t random_low = 0;   // of a 64-bit number, a fraction of 1
  std::uint32_t random_high = 0;

  static constexpr float kMostInverse = 1e30F;
};
inline constexpr std::int64_t kSampleControlWords = sizeof(SampleControl) / 4;

enum class SampleStatus : std::uint32_t {
  kDrawn = 0,
  kNotFinite = 1,  // a logit is NaN or +inf
  kNoneLeft = 2,   // every logit is -inf, or no token was asked for
};

/// What the kernel writes for a row.
struct Sampled {
  std::int32_t token = 0;  // 0 unless one is drawn
  SampleStatus status = SampleStatus::kDrawn;
};

struct Sample {
  plan::Tensor logits;    // (rows, Vp) f32, Vp a multiple of 4
  plan::Tensor controls;  // (rows, kSampleControlWords) u32
  plan::Tensor drawn;     // (rows, 2) u32: `Sampled`
  std::int64_t V = 0;     // tokens; the rest is padding
};

/// Draws a token from each row. Probabilities are softmax(logits / temperature) over the tokens that top_k
/// and then top_p keep, the latter a token while those likelier than it (of equal ones the earlier) have
/// together less than top_p of what top_k left. The tokens in their order divide [0, 1) into intervals of
/// their probabilities; the one in which the random number lies is drawn. What a row draws depends on that
/// row alone. -inf excludes a token; one of less than 2^-44 of the likeliest one's probability is not drawn.
void sample(plan::PlanBuilder& builder, const Sample& args);

}  // namespace vkgpt::ops
