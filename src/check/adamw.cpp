#include <cmath>

#include "vkgpt/core/check.hpp"
#include "vkgpt/core/format.hpp"

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

namespace {

constexpr ops::AdamW kConstants;

/// A step that leaves the new weights in 16 bits too, and a skipped one, which leaves both as they were.
void copied_weights(Trial& t, std::int64_t n, DType dtype) {
  Operand weights = t.random({n}, 1), m = t.zeros({n}), v = t.zeros({n});
  const Operand gradients = t.random({n}, 2);
  const std::vector all = {ops::Slice{0, n}};
  const plan::Tensor copy = t.output({n}, dtype);
  const plan::Tensor norm = t.given({4}, norm_state(1.0F), DType::kU32);
  ops::optimizer_adamw(t.builder(),
                       {.weights = weights,
                        .gradients = gradients,
                        .m = m,
                        .v = v,
                        .decay = ops::decay_bits(t.builder(), n, all),
                        .norm = norm,
                        .copy = copy},
                       kConstants);
  t.replay(step_params_at(1, kUpdateLearningRate));
  adamw_step(
      weights.values, gradients, m.values, v.values, 1,
      {kUpdateLearningRate, kConstants.beta1, kConstants.beta2, kConstants.eps, kConstants.weight_decay},
      1.0);
  t.expect("weights", weights, weights.values, kFp32Nmse);
  t.expect("copy", copy, weights.values, rounding_bound(dtype));
  t.replay(step_params_at(2, kUpdateLearningRate));
  t.put(norm, norm_state(1.0F, true));
  t.expect_kept("weights", weights);
  t.expect_kept("copy", copy);
}

}  // namespace

std::vector<Case> adamw_cases() {
  std::vector<Case> cases = update_cases(
      {.append = [](plan::PlanBuilder& builder,
                    const ops::OptimizerArenas& x) { ops::optimizer_adamw(builder, x, kConstants); },
       .rule =
           [](const UpdateSpans& x, std::int64_t step, double decay, double grad_scale) {
             adamw_step(x.weights, x.gradient, x.m, x.v, step,
                        {kUpdateLearningRate, kConstants.beta1, kConstants.beta2, kConstants.eps, decay},
                        grad_scale);
           },
       .weight_decay = kConstants.weight_decay,
       .has_second_moment = true});
  for (const DType dtype : {DType::kF16, DType::kBF16}) {
    for (const std::int64_t n : {1, 62, 63, 64, 1000, 5000}) {
      cases.push_back({.variant = vkgpt::format("{} copy of {}", dtype_name(dtype), n),
                       .dtype = dtype,
                       .quick = n == 1000 || n == 63,
                       .devices = folded_devices(sizeof(float) * 128 * 17),
                       .build = [=](Trial& t) { copied_weights(t, n, dtype); }});
    }
  }
  return cases;
}

}  // namespace vkgpt::check
