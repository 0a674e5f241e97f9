#pragma once

#include <cstdint>

#include "vkgpt/plan/plan_builder.hpp"

namespace vkgpt::ops {

/// Dynamic loss scaling of fp16 training (Micikevicius et al., arXiv:1710.03740): halved by a step that
/// was skipped, doubled after so many clean steps in a row. Always a power of two, so that it costs no
/// precision.
struct LossScaling {
  float initial = 65536;  // the host writes its bits into word 0 before the first step
  float min = 1;
  float max = 16777216;
  std::uint32_t growth_interval = 2000;  // steps
};

/// Its state, a persistent tensor (4) u32, named "loss_scale", that never leaves the GPU: the bits
/// of the scale, clean steps since it last changed, 0, 0.
plan::Tensor loss_scale_state(plan::PlanBuilder& builder);

/// Moves `state` (4) by the skip flag in `norm` (see `global_norm`): to be called after the optimizers.
void loss_scale_update(plan::PlanBuilder& builder, const plan::Tensor& state, const plan::Tensor& norm,
                       const LossScaling& scaling = {});

}  // namespace vkgpt::ops
