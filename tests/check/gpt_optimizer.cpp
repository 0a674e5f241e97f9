#include "check/gpt_optimizer.hpp"

#include <map>
#include <string>

#include "vkgpt/check/update_rules.hpp"

namespace vkgpt::check {

UpdateRule adamw_rule(const AdamW& config) {
  return [config](const ParameterUpdate& update) {
    AdamW mine = config;
    if (!update.spec.decay) mine.weight_decay = 0.0;
    adamw_step(update.weights, update.gradient, update.m, update.v, update.step, mine, update.grad_scale);
  };
}

UpdateRule lion_rule(const Lion& config) {
  return [config](const ParameterUpdate& update) {
    Lion mine = config;
    if (!update.spec.decay) mine.weight_decay = 0.0;
    lion_step(update.weights, update.gradient, update.m, mine, update.grad_scale);
  };
}

UpdateRule adamw8_rule(const AdamW& config) {
  struct Moments {
    QuantizedMoment m, v;
  };
  return [config, small = adamw_rule(config),
          state = std::map<std::string, Moments>()](const ParameterUpdate& update) mutable {
    const std::size_t elements = update.weights.size();
    if (elements < 4096) return small(update);
    AdamW mine = config;
    if (!update.spec.decay) mine.weight_decay = 0.0;
    auto& [m, v] = state.try_emplace(update.spec.name, QuantizedMoment(elements), QuantizedMoment(elements))
                       .first->second;
    adamw8_step(update.weights, update.gradient, m, v, update.step, mine, update.grad_scale);
  };
}

UpdateRule muon_rule(const Muon& config, const model::GptConfig& model, UpdateRule others) {
  return [config, model, others = std::move(others)](const ParameterUpdate& update) {
    const model::ParamSpec& spec = update.spec;
    if (spec.shape.rank() != 2 || !spec.name.starts_with("h.")) return others(update);
    std::vector<std::int64_t> heights{spec.shape[0]};
    const std::int64_t kv_rows = model.kv_heads() * model.head_size();
    if (spec.name.ends_with("c_attn.weight")) heights = {model.attention_width(), kv_rows, kv_rows};
    if (spec.name.ends_with("c_fc.weight") && model.has_gate())
      heights = {spec.shape[0] / 2, spec.shape[0] / 2};
    std::size_t first = 0;
    for (const std::int64_t rows : heights) {
      const auto count = static_cast<std::size_t>(rows * spec.shape[1]);
      muon_step(update.weights.subspan(first, count), update.gradient.subspan(first, count),
                update.m.subspan(first, count), rows, spec.shape[1], config, update.grad_scale);
      first += count;
    }
  };
}

GptOptimizer::GptOptimizer(const model::GptParams& params, UpdateRule rule)
    : rule_(std::move(rule)), m_(static_cast<std::size_t>(params.arena_elements()), 0.0), v_(m_) {}

GptStep GptOptimizer::step(GptModel& model, TokenView tokens, TokenView targets, std::size_t B, std::size_t T,
                           double clip) {
  const GptGradients result = model.backward(tokens, targets, B, T);
  const double norm = global_norm(result.arena);
  step_ += 1;
  for (const model::ParamSpec& spec : model.params().specs()) {
    const auto in = [&](Vector& arena) { return part(model.params(), std::span(arena), spec.name); };
    rule_({.spec = spec,
           .weights = in(model.arena()),
           .gradient = part(model.params(), View(result.arena), spec.name),
           .grad_scale = clip_scale(norm, clip),
           .m = in(m_),
           .v = in(v_),
           .step = step_});
  }
  return {.loss = result.output.loss, .norm = norm};
}

}  // namespace vkgpt::check
