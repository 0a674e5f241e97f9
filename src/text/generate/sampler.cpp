#include "vkgpt/text/generate/sampler.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <functional>
#include <limits>

#include "vkgpt/core/check.hpp"
#include "vkgpt/core/error.hpp"
#include "vkgpt/core/rng.hpp"

namespace vkgpt::text {
namespace {

constexpr double kMinusInfinity = -std::numeric_limits<double>::infinity();

/// NaN or +inf, by its bits: what -ffast-math may say of isnan does not matter.
bool is_broken(float logit) {
  const auto bits = std::bit_cast<std::uint32_t>(logit);
  return (bits & 0x7f800000U) == 0x7f800000U && bits != 0xff800000U;
}

[[noreturn]] void fail_not_finite() {
  fail("the model's logits are not finite: its weights are damaged or training diverged");
}

[[noreturn]] void fail_none_left() {
  fail("no token is left to draw: every logit is -inf");
}

}  // namespace

Sampler::Sampler(const SamplerConfig& config, std::uint64_t seed, std::uint32_t sample)
    : config_(config), seed_(seed), sample_(sample) {}

void Sampler::load(std::span<const float> logits) {
  candidates_.resize(logits.size());
  for (std::size_t i = 0; i < logits.size(); ++i) {
    if (is_broken(logits[i])) fail_not_finite();
    candidates_[i] = {.score = logits[i], .weight = 0, .token = static_cast<Token>(i)};
  }
}

void Sampler::penalize(std::span<const Token> context) {
  if (config_.repetition_penalty == 1.0) return;
  penalized_.assign(candidates_.size(), false);
  for (const Token token : context) {
    const auto at = static_cast<std::size_t>(token);
    VKGPT_CHECK(token >= 0 && at < candidates_.size(), "token {} of {}", token, candidates_.size());
    if (penalized_[at]) continue;
    penalized_[at] = true;
    double& score = candidates_[at].score;
    score = score < 0 ? score * config_.repetition_penalty : score / config_.repetition_penalty;
  }
}

/// Tokens that tie with the k-th stay, as in Hugging Face's TopKLogitsWarper.
void Sampler::keep_top_k() {
  const auto k = static_cast<std::size_t>(config_.top_k);
  if (k == 0 || k >= candidates_.size()) return;
  scores_.clear();
  for (const Candidate& c : candidates_) scores_.push_back(c.score);
  const auto kth = scores_.begin() + static_cast<std::ptrdiff_t>(k - 1);
  std::nth_element(scores_.begin(), kth, scores_.end(), std::greater<>());
  std::erase_if(candidates_, [threshold = *kth](const Candidate& c) { return c.score < threshold; });
}

/// weight = exp((score - max) / temperature), probabilities up to their sum.
void Sampler::weigh() {
  double max = kMinusInfinity;
  for (const Candidate& c : candidates_) max = std::max(max, c.score);
  for (Candidate& c : candidates_) c.weight = std::exp((c.score - max) / config_.temperature);
}

/// Keeps a token while those likelier than it have together less than top_p, as TopPLogitsWarper does.
void Sampler::keep_top_p() {
  if (config_.top_p >= 1.0) return;
  double total = 0;
  for (const Candidate& c : candidates_) total += c.weight;
  std::ranges::stable_sort(candidates_, std::greater<>(), &Candidate::weight);
  double before = 0;
  std::size_t kept = 0;
  while (kept < candidates_.size() && (kept == 0 || before < config_.top_p * total)) {
    before += candidates_[kept].weight;
    ++kept;
  }
  candidates_.resize(kept);
  std::ranges::sort(candidates_, {}, &Candidate::token);
}

std::uint64_t Sampler::random_bits(std::uint32_t position) const {
  RngReader random(
      {.seed = seed_, .purpose = RngPurpose::kSampling, .sub = sample_, .step = position, .index = 0});
  return random.next_u64();
}

ops::SampleControl Sampler::control(std::size_t tokens, std::uint32_t position) const {
  ops::SampleControl control{.tokens = static_cast<std::uint32_t>(tokens)};
  if (config_.temperature == 0) return control;
  control.inverse_temperature =
      static_cast<float>(std::min(1 / config_.temperature, double{ops::SampleControl::kMostInverse}));
  control.top_k = static_cast<std::uint32_t>(config_.top_k);
  if (config_.top_p < 1) {
    control.top_p = static_cast<std::uint32_t>(std::clamp(config_.top_p * 0x1p32, 1.0, 0x1p32 - 1));
  }
  const std::uint64_t random = random_bits(position);
  control.random_low = static_cast<std::uint32_t>(random);
  control.random_high = static_cast<std::uint32_t>(random >> 32U);
  return control;
}

Token Sampler::token_of(const ops::Sampled& sampled) {
  if (sampled.status == ops::SampleStatus::kNotFinite) fail_not_finite();
  if (sampled.status == ops::SampleStatus::kNoneLeft) fail_none_left();
  return sampled.token;
}

Token Sampler::draw(std::span<const float> logits, std::span<const Token> context, std::uint32_t position) {
  load(logits);
  penalize(context);
  const auto likeliest = std::ranges::max_element(candidates_, {}, &Candidate::score);  // the first of equals
  if (likeliest == candidates_.end() || likeliest->score == kMinusInfinity) fail_none_left();
  if (config_.temperature == 0) return likeliest->token;
  keep_top_k();
  weigh();
  keep_top_p();
  double total = 0;
  for (const Candidate& c : candidates_) total += c.weight;
  double rest = static_cast<double>(random_bits(position) >> 11U) * 0x1p-53 * total;
  Token drawn = -1;
  for (const Candidate& c : candidates_) {
    if (c.weight == 0) continue;
    drawn = c.token;
    rest -= c.weight;
    if (rest < 0) break;
  }
  return drawn;
}

}  // namespace vkgpt::text
