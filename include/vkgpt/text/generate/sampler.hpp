#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "vkgpt/core/config_field.hpp"
#include "vkgpt/ops/sample.hpp"
#include "vkgpt/text/tokenizer/tokenizer.hpp"

namespace vkgpt::text {

/// How a token is drawn from logits. The filters are those of Hugging Face's `generate`, in its order:
/// repetition penalty, temperature, top_k, top_p.
struct SamplerConfig {
  double temperature = 0.8;
  std::int64_t top_k = 0;
  double top_p = 1.0;
  double repetition_penalty = 1.0;

  friend bool operator==(const SamplerConfig&, const SamplerConfig&) = default;

  template <typename Visitor, typename Self>
  static void visit_fields(Visitor&& visit, Self& self) {
    constexpr auto kGroup = "Sampling";
    visit(FieldInfo{.name = "temperature",
                    .group = kGroup,
                    .help = "Divides the logits; 0 always takes the likeliest token",
                    .min = 0,
                    .max = 1e6},
          self.temperature);
    visit(FieldInfo{.name = "top_k",
                    .group = kGroup,
                    .help = "Draw among the k likeliest tokens; 0 among all",
                    .min = 0,
                    .max = 1 << 24},
          self.top_k);
    visit(FieldInfo{.name = "top_p",
                    .group = kGroup,
                    .help = "Draw among the likeliest tokens that together have this probability",
                    .min = 0,
                    .max = 1,
                    .min_open = true},
          self.top_p);
    visit(FieldInfo{.name = "repetition_penalty",
                    .group = kGroup,
                    .help = "Above 1 makes tokens that are in the context less likely",
                    .min = 0,
                    .max = 1e6,
                    .min_open = true},
          self.repetition_penalty);
  }
};

/// Draws the tokens of one text. A draw depends on (seed, sample, position) and the logits alone: the same
/// seed gives the same text, however the work is split.
class Sampler {
 public:
  /// `sample` numbers the texts drawn with one seed, below 2^24.
  Sampler(const SamplerConfig& config, std::uint64_t seed, std::uint32_t sample);

  /// The token at `position`, from its `logits` (V), given the tokens before it (only the repetition penalty
  /// looks at them). -inf excludes a token; throws `Error` for NaN, +inf, and where nothing is left.
  Token draw(std::span<const float> logits, std::span<const Token> context, std::uint32_t position);

  /// Whether a device can draw in its place: the repetition penalty is the host's.
  bool is_of_device() const { return config_.repetition_penalty == 1.0; }
  /// How the device draws the token at `position` from `tokens` logits (`ops::sample`): the same token but
  /// where the random number lies within rounding of the border between two.
  ops::SampleControl control(std::size_t tokens, std::uint32_t position) const;
  /// What the device drew; throws as `draw` does.
  static Token token_of(const ops::Sampled& sampled);

 private:
  struct Candidate {
    double score = 0;
    double weight = 0;
    Token token = 0;
  };

  std::uint64_t random_bits(std::uint32_t position) const;
  void load(std::span<const float> logits);
  void penalize(std::span<const Token> context);
  void keep_top_k();
  void weigh();
  void keep_top_p();

  SamplerConfig config_;
  std::uint64_t seed_;
  std::uint32_t sample_;
  std::vector<Candidate> candidates_;
  std::vector<double> scores_;   // scratch of keep_top_k
  std::vector<bool> penalized_;  // (V), scratch of penalize
};

}  // namespace vkgpt::text
