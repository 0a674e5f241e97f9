#pragma once

#include <cstdint>

#include "vkgpt/plan/plan_builder.hpp"

namespace vkgpt::ops {

/// Values that change from one replay to the next; the host writes them into a submission's slot. The layout
/// is that of shaders/include/step_params.glsl: 32-bit words in this order.
struct StepParams {
  std::uint32_t step = 0;        // optimizer step, from 0
  std::uint32_t micro_step = 0;  // within the step, from 0
  std::uint32_t seed_lo = 0;
  std::uint32_t seed_hi = 0;
  float learning_rate = 0;
  float bias_correction1 = 1;      // 1 / (1 - beta1^(step + 1))
  float bias_correction2 = 1;      // 1 / (1 - beta2^(step + 1))
  std::uint32_t position = 0;      // decode: where in the context the new token stands
  std::uint32_t token_count = 0;   // prefill: how many tokens of the prompt are real
  std::uint32_t dropout_step = 0;  // micro-steps since the run began; names the masks of dropout
  std::uint32_t reserved[6] = {};
};
static_assert(sizeof(StepParams) == 64);

/// The upload tensor (16 words, u32) that carries it, the same for every op of a plan.
plan::Tensor step_params(plan::PlanBuilder& builder);

}  // namespace vkgpt::ops
