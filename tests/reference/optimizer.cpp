#include "reference/optimizer.hpp"

#include <algorithm>
#include <cmath>

#include "vkgpt/core/check.hpp"

namespace vkgpt::reference {

double global_norm(std::span<const View> gradients) {
  double sum = 0.0;
  for (const View gradient : gradients)
    for (const double value : gradient) sum += value * value;
  return std::sqrt(sum);
}

double global_norm(View gradient) {
  return global_norm(std::span<const View>(&gradient, 1));
}

double clip_scale(double norm, double clip) {
  constexpr double kEps = 1e-6;
  return clip <= 0.0 ? 1.0 : std::min(1.0, clip / (norm + kEps));
}

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

void ema_step(std::span<double> ema, View weights, std::int64_t step, double decay) {
  VKGPT_CHECK(ema.size() == weights.size() && step >= 0);
  const double d = std::min(decay, static_cast<double>(1 + step) / static_cast<double>(10 + step));
  for (std::size_t i = 0; i < ema.size(); ++i) ema[i] = d * ema[i] + (1.0 - d) * weights[i];
}

}  // namespace vkgpt::reference
