#include <cmath>

#include "vkgpt/core/check.hpp"

#include "check/update_cases.hpp"

namespace vkgpt::check {

void adamw_step(std::span<double> weights, View gradient, std::span<double> m, std::span<double> v,
                std::int64_t step, const AdamW& config, double grad_scale) {
  VKGPT_CHECK(step >= 1 && gradient.size() == weights.size() && m.size() == weights.size() &&
              v.size() == m.size());
  const double correction1 = 1.0 - std::pow(config.beta1, static_cast<double>(step));
  const double correction2 = 1.0 - std::pow(config.beta2, static_cast<double>(step));
  for (std::size_t i = 0; i < weights.size(); ++i) {
    const double g = grad_scale * gradient[i];
    m[i] = config.beta1 * m[i] + (1.0 - config.beta1) * g;
    v[i] = config.beta2 * v[i] + (1.0 - config.beta2) * g * g;
    const double m_hat = m[i] / correction1;
    const double v_hat = v[i] / correction2;
    weights[i] -=
        config.learning_rate * (m_hat / (std::sqrt(v_hat) + config.eps) + config.weight_decay * weights[i]);
  }
}

std::vector<Case> adamw_cases() {
  static constexpr ops::AdamW kConstants;
  return update_cases(
      {.append =
           [](plan::PlanBuilder& builder, const UpdateTensors& x) {
             ops::optimizer_adamw(builder,
                                  {.weights = x.weights,
                                   .gradients = x.gradients,
                                   .m = x.m,
                                   .v = x.v,
                                   .decay = x.decay,
                                   .norm = x.norm,
                                   .active = x.active},
                                  kConstants);
           },
       .rule =
           [](const UpdateSpans& x, std::int64_t step, double decay, double grad_scale) {
             adamw_step(x.weights, x.gradient, x.m, x.v, step,
                        {kUpdateLearningRate, kConstants.beta1, kConstants.beta2, kConstants.eps, decay},
                        grad_scale);
           },
       .weight_decay = kConstants.weight_decay});
}

}  // namespace vkgpt::check
