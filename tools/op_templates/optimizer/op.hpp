#pragma once

#include "vkgpt/ops/optimizer/optimizer.hpp"

namespace vkgpt::ops {

/// Constants of a run of `NAME`; the learning rate is in StepParams.
struct NAMEConstants {
  double beta = 0.9;
  double weight_decay = 0.1;
};

/// One step over flat arenas, which have no v, with clipped gradients: m = beta m + (1 - beta) g,
/// w -= lr * (m + weight_decay * w). When the skip flag is set, weights and momentum keep every bit; so do
/// elements that are not active.
void NAME_update(plan::PlanBuilder& builder, const OptimizerArenas& arenas, const NAMEConstants& constants);

}  // namespace vkgpt::ops
