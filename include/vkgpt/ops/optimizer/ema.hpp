#pragma once

#include "vkgpt/plan/plan_builder.hpp"

namespace vkgpt::ops {

struct EmaUpdate {
  plan::Tensor ema;      // (N), in and out
  plan::Tensor weights;  // (N), after the optimizer's step
  plan::Tensor norm;     // see `global_norm`: skip flag
  double decay = 0.9999;
};

/// Exponential moving average of the weights: ema = d ema + (1 - d) w with d = min(decay, (1 + step) / (10 +
/// step)), which lets the average forget the initial weights (TensorFlow's ExponentialMovingAverage with
/// num_updates). When the skip flag is set the average keeps every bit.
void ema_update(plan::PlanBuilder& builder, const EmaUpdate& args);

}  // namespace vkgpt::ops
