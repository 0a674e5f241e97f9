#include "reference/gpt_optimizer.hpp"

namespace vkgpt::reference {

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

}  // namespace vkgpt::reference
