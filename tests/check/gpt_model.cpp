#include "check/gpt_model.hpp"

#include <algorithm>
#include <cmath>

#include "vkgpt/check/definitions.hpp"
#include "vkgpt/check/numbers.hpp"
#include "vkgpt/core/check.hpp"
#include "vkgpt/core/format.hpp"

#include "check/gpt_block.hpp"

namespace vkgpt::check {
namespace {

std::string block_name(std::size_t layer) {
  return vkgpt::format("h.{}", layer);
}

/// `shaping` with the configuration's soft-cap.
LossShaping with_softcap(const LossShaping& shaping, const model::GptConfig& config) {
  VKGPT_CHECK(shaping.softcap == 0.0);
  LossShaping result = shaping;
  result.softcap = config.logit_softcap;
  return result;
}

Vector scaled(View values, double factor) {
  return map(values, [&](double v) { return factor * v; });
}

}  // namespace

View part(const model::GptParams& params, View arena, std::string_view name) {
  const model::ParamSpec& spec = params.find(name);
  return arena.subspan(static_cast<std::size_t>(spec.offset), static_cast<std::size_t>(spec.numel()));
}

std::span<double> part(const model::GptParams& params, std::span<double> arena, std::string_view name) {
  const model::ParamSpec& spec = params.find(name);
  return arena.subspan(static_cast<std::size_t>(spec.offset), static_cast<std::size_t>(spec.numel()));
}

Vector random_parameters(const model::GptParams& params, std::uint64_t seed) {
  Vector arena(static_cast<std::size_t>(params.arena_elements()), 0.0);
  for (const model::ParamSpec& spec : params.specs()) {
    // An embedding's rows are read as they are; a matrix adds up `fan_in` products.
    const bool is_matrix = spec.shape.rank() >= 2 && !spec.name.starts_with("w");
    const double fan_in = is_matrix ? static_cast<double>(spec.shape[1]) : 1.0;
    const double scale = is_matrix ? 2.0 / std::sqrt(fan_in) : 0.5;
    const double center = spec.init == model::ParamSpec::Init::kOne ? 1.0 : 0.0;
    const auto real = static_cast<std::size_t>(spec.unpadded_shape.numel());
    const Vector values = random_doubles(real, seed++, static_cast<float>(scale));
    for (std::size_t i = 0; i < real; ++i)
      arena[static_cast<std::size_t>(spec.offset) + i] = static_cast<float>(center + values[i]);
  }
  return arena;
}

struct GptModel::Activations {
  std::vector<Block> blocks;
  Vector x;       // (B, T, C), the last block's output
  Norm final;     // of x
  Vector logits;  // (B, T, Vp), before the soft-cap
};

GptModel::GptModel(const model::GptConfig& config, Vector arena)
    : config_(config), params_(config), arena_(std::move(arena)) {
  VKGPT_CHECK(arena_.size() == static_cast<std::size_t>(params_.arena_elements()));
}

GptModel::Activations GptModel::run(TokenView tokens, std::size_t B, std::size_t T) const {
  VKGPT_CHECK(T <= static_cast<std::size_t>(config_.block_size) && tokens.size() == B * T);
  const auto C = static_cast<std::size_t>(config_.n_embd);
  const Parameters p{.config = config_, .params = params_, .arena = arena_};
  const Vector no_positions(config_.has_rope() ? T * C : 0, 0.0);
  Activations a;
  a.x = embedding_forward(tokens, scaled(p.get("wte.weight"), config_.embedding_scale),
                          config_.has_rope() ? no_positions : p.get("wpe.weight"), B, T, C);
  a.blocks.resize(static_cast<std::size_t>(config_.n_layer));
  for (std::size_t l = 0; l < a.blocks.size(); ++l)
    a.x = block_forward(a.blocks[l], p, block_name(l), std::move(a.x), B, T);
  a.final = norm_forward(p, "ln_f", a.x);
  a.logits = check::linear_forward(a.final.y, parameter(head()), {}, B * T,
                                   static_cast<std::size_t>(config_.padded_vocab_size()), C);
  return a;
}

Vector GptModel::logits(TokenView tokens, std::size_t B, std::size_t T) const {
  return softcap_forward(run(tokens, B, T).logits, config_.logit_softcap);
}

GptOutput GptModel::forward(TokenView tokens, TokenView targets, std::size_t B, std::size_t T,
                            const LossShaping& shaping) const {
  const Vector raw = run(tokens, B, T).logits;
  const CrossEntropy loss = cross_entropy_forward(raw, targets, static_cast<std::size_t>(config_.vocab_size),
                                                  static_cast<std::size_t>(config_.padded_vocab_size()),
                                                  with_softcap(shaping, config_));
  return {.logits = softcap_forward(raw, config_.logit_softcap), .loss = loss.mean_loss};
}

GptGradients GptModel::backward(TokenView tokens, TokenView targets, std::size_t B, std::size_t T,
                                const LossShaping& shaping, double loss_scale) const {
  const auto C = static_cast<std::size_t>(config_.n_embd);
  const auto V = static_cast<std::size_t>(config_.vocab_size);
  const auto Vp = static_cast<std::size_t>(config_.padded_vocab_size());
  const LossShaping shaped = with_softcap(shaping, config_);
  const Activations a = run(tokens, B, T);
  const CrossEntropy loss = cross_entropy_forward(a.logits, targets, V, Vp, shaped);
  const double grad_scale = loss_scale / static_cast<double>(std::max<std::size_t>(loss.counted, 1));
  const Vector dlogits = cross_entropy_backward(a.logits, targets, V, Vp, grad_scale, shaped);

  GptGradients result{
      .output = {.logits = softcap_forward(a.logits, config_.logit_softcap), .loss = loss.mean_loss},
      .arena = Vector(arena_.size(), 0.0)};
  const Parameters p{.config = config_, .params = params_, .arena = arena_, .gradients = result.arena};
  const LinearGradients classifier =
      check::linear_backward(dlogits, a.final.y, parameter(head()), B * T, Vp, C);
  p.add_gradient(std::string(head()), classifier.dweight);
  Vector dx = norm_backward(p, "ln_f", classifier.dx, a.x, a.final);
  for (std::size_t l = a.blocks.size(); l-- > 0;)
    dx = block_backward(a.blocks[l], p, block_name(l), dx, B, T);
  const EmbeddingGradients embedding =
      embedding_backward(dx, tokens, B, T, C, Vp, static_cast<std::size_t>(config_.block_size));
  p.add_gradient("wte.weight", scaled(embedding.dwte, config_.embedding_scale));
  p.add_gradient("wpe.weight", embedding.dwpe);
  return result;
}

std::vector<std::int32_t> GptModel::greedy(TokenView prompt, std::size_t new_tokens) const {
  VKGPT_CHECK(!prompt.empty());
  const auto V = static_cast<std::size_t>(config_.vocab_size);
  const auto Vp = static_cast<std::size_t>(config_.padded_vocab_size());
  std::vector<std::int32_t> tokens(prompt.begin(), prompt.end());
  for (std::size_t i = 0; i < new_tokens; ++i) {
    const std::size_t T = std::min(tokens.size(), static_cast<std::size_t>(config_.block_size));
    const Vector all = logits(TokenView(tokens).last(T), 1, T);
    const View last = View(all).subspan((T - 1) * Vp, V);
    tokens.push_back(static_cast<std::int32_t>(std::ranges::max_element(last) - last.begin()));
  }
  return tokens;
}

}  // namespace vkgpt::check
