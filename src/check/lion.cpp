#include "vkgpt/core/check.hpp"
#include "vkgpt/ops/optimizer/optimizer_lion.hpp"

#include "check/update_cases.hpp"

namespace vkgpt::check {

void lion_step(std::span<double> weights, View gradient, std::span<double> m, const Lion& config,
               double grad_scale) {
  VKGPT_CHECK(gradient.size() == weights.size() && m.size() == weights.size());
  for (std::size_t i = 0; i < weights.size(); ++i) {
    const double g = grad_scale * gradient[i];
    const double blend = config.beta1 * m[i] + (1.0 - config.beta1) * g;
    const double sign = blend > 0.0 ? 1.0 : blend < 0.0 ? -1.0 : 0.0;
    weights[i] -= config.learning_rate * (sign + config.weight_decay * weights[i]);
    m[i] = config.beta2 * m[i] + (1.0 - config.beta2) * g;
  }
}

std::vector<Case> lion_cases() {
  static constexpr ops::Lion kConstants;
  return update_cases({
      .append = [](plan::PlanBuilder& builder,
                   const ops::OptimizerArenas& x) { ops::optimizer_lion(builder, x, kConstants); },
      .rule =
          [](const UpdateSpans& x, std::int64_t, double decay, double grad_scale) {
            lion_step(x.weights, x.gradient, x.m,
                      {kUpdateLearningRate, kConstants.beta1, kConstants.beta2, decay}, grad_scale);
          },
      .weight_decay = kConstants.weight_decay,
  });
}

}  // namespace vkgpt::check
