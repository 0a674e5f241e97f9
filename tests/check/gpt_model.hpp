#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "vkgpt/check/definitions.hpp"
#include "vkgpt/model/gpt_config.hpp"
#include "vkgpt/model/gpt_params.hpp"

namespace vkgpt::check {

/// The part of an arena (laid out by `params`) that holds a parameter, padded rows included.
View part(const model::GptParams& params, View arena, std::string_view name);
std::span<double> part(const model::GptParams& params, std::span<double> arena, std::string_view name);

/// An arena of random weights, biases and norm weights near 1 of a scale at which no gradient vanishes; every
/// value is exact in float. Padding is zero.
Vector random_parameters(const model::GptParams& params, std::uint64_t seed);

struct GptOutput {
  Vector logits;      // (B, T, Vp), after the soft-cap
  double loss = 0.0;  // mean over the counted targets
};
struct GptGradients {
  GptOutput output;
  Vector arena;  // the gradient of the loss, laid out as the parameters
};

/// Every architecture of `model::GptConfig` in double precision, without dropout: pre-norm blocks
/// x + attn(norm(x)), then x + mlp(norm(x)), or both branches of one norm side by side (parallel blocks).
class GptModel {
 public:
  /// `arena` holds the parameters as `model::GptParams(config)` lays them out.
  GptModel(const model::GptConfig& config, Vector arena);

  const model::GptConfig& config() const { return config_; }
  const model::GptParams& params() const { return params_; }
  Vector& arena() { return arena_; }
  const Vector& arena() const { return arena_; }
  View parameter(std::string_view name) const { return part(params_, View(arena_), name); }

  /// tokens (B, T) -> (B, T, Vp), after the soft-cap.
  Vector logits(TokenView tokens, std::size_t B, std::size_t T) const;
  /// tokens and targets (B, T). The soft-cap is the configuration's: `shaping.softcap` stays 0.
  GptOutput forward(TokenView tokens, TokenView targets, std::size_t B, std::size_t T,
                    const LossShaping& shaping = {}) const;
  /// `forward` and the gradient of its loss times `loss_scale`.
  GptGradients backward(TokenView tokens, TokenView targets, std::size_t B, std::size_t T,
                        const LossShaping& shaping = {}, double loss_scale = 1.0) const;
  /// `prompt` followed by `new_tokens` most likely tokens (the first of equals), everything recomputed for
  /// each from the last block_size tokens, which take the positions from 0.
  std::vector<std::int32_t> greedy(TokenView prompt, std::size_t new_tokens) const;

 private:
  struct Activations;

  Activations run(TokenView tokens, std::size_t B, std::size_t T) const;
  std::string_view head() const { return config_.tie_weights ? "wte.weight" : "lm_head.weight"; }

  model::GptConfig config_;
  model::GptParams params_;
  Vector arena_;
};

}  // namespace vkgpt::check
