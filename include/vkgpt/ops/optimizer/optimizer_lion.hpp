#pragma once

#include <optional>

#include "vkgpt/plan/plan_builder.hpp"

namespace vkgpt::ops {

/// Constants of a run; the learning rate is in StepParams.
struct Lion {
  double beta1 = 0.9;
  double beta2 = 0.99;
  double weight_decay = 0.1;
};

struct OptimizerLion {
  plan::Tensor weights;                     // (N), in and out
  plan::Tensor gradients;                   // (N), before clipping
  plan::Tensor m;                           // (N), in and out, zeros at first
  plan::Tensor decay;                       // see `decay_bits`
  plan::Tensor norm;                        // see `global_norm`: clip scale and skip flag
  std::optional<plan::Tensor> active = {};  // see `active_bits`; without it all of the arena
};

/// One step of Lion (Chen et al., arXiv:2302.06675) over flat arenas with clipped gradients:
/// w -= lr * (sign(beta1 m + (1 - beta1) g) + weight_decay * w), m = beta2 m + (1 - beta2) g; sign(0) is 0.
/// When the skip flag is set, weights and momentum keep every bit; so do elements that are not active.
void optimizer_lion(plan::PlanBuilder& builder, const OptimizerLion& args, const Lion& constants);

}  // namespace vkgpt::ops
