#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <vector>

#include "vkgpt/ops/step_params.hpp"

namespace vkgpt::test {

/// What `ops::global_norm` leaves for an optimizer, as bits and as the floats with these bits.
inline std::vector<std::uint32_t> norm_state(float clip_scale, bool skip) {
  return {std::bit_cast<std::uint32_t>(1.0F), std::bit_cast<std::uint32_t>(clip_scale), skip ? 1U : 0U, 0U};
}
inline std::vector<float> norm_values(float clip_scale, bool skip) {
  return {1.0F, clip_scale, std::bit_cast<float>(skip ? 1U : 0U), 0.0F};
}

/// The host's part of optimizer step `step`, from 1.
inline ops::StepParams step_params_at(std::int64_t step, double learning_rate, double beta1 = 0.9,
                                      double beta2 = 0.95) {
  const double t = static_cast<double>(step);
  ops::StepParams params;
  params.step = static_cast<std::uint32_t>(step - 1);
  params.learning_rate = static_cast<float>(learning_rate);
  params.bias_correction1 = static_cast<float>(1.0 / (1.0 - std::pow(beta1, t)));
  params.bias_correction2 = static_cast<float>(1.0 / (1.0 - std::pow(beta2, t)));
  return params;
}

}  // namespace vkgpt::test
