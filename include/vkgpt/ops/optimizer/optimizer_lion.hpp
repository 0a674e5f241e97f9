#pragma once

#include "vkgpt/ops/optimizer/optimizer.hpp"

namespace vkgpt::ops {

/// Constants of a run; the learning rate is in StepParams.
struct Lion {
  double beta1 = 0.9;
  double beta2 = 0.99;
  double weight_decay = 0.1;
};

/// One step of Lion (Chen et al., arXiv:2302.06675) over flat arenas, which have no v, with clipped
/// gradients: w -= lr * (sign(beta1 m + (1 - beta1) g) + weight_decay * w), m = beta2 m + (1 - beta2) g;
/// sign(0) is 0. When the skip flag is set, weights and momentum keep every bit; so do elements that are not
/// active.
void optimizer_lion(plan::PlanBuilder& builder, const OptimizerArenas& arenas, const Lion& constants);

}  // namespace vkgpt::ops
