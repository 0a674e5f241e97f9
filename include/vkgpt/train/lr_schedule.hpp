#pragma once

#include <cstdint>

#include "vkgpt/train/train_config.hpp"

namespace vkgpt::train {

/// The learning rate over the run. All kinds warm up linearly, as nanoGPT does, with steps counted from 0:
///   step < warmup:  lr (step + 1) / (warmup + 1)
/// and end at `min_lr` from step `decay_steps` on, but for `kConstant`, which stays at lr. In between:
///   kCosine:  min_lr + (lr - min_lr) (1 + cos(pi r)) / 2,  r = (step - warmup) / (decay - warmup)
///             (nanoGPT's `get_lr`)
///   kLinear:  min_lr + (lr - min_lr) (1 - r) with the same r
///   kWsd:     warm-up, stable, decay (Hu et al., arXiv:2404.06395): lr, and over the last
///   `wsd_decay_fraction`
///             of the `decay_steps` a straight line down
struct LrSchedule {
  enum class Kind { kCosine, kWsd, kLinear, kConstant };

  Kind kind = Kind::kCosine;
  double learning_rate = 0;
  double min_lr = 0;
  std::int64_t warmup_steps = 0;
  std::int64_t decay_begin = 0;  ///< the last step at the full rate, >= warmup_steps
  std::int64_t decay_steps = 0;

  explicit LrSchedule(const TrainConfig& config);

  /// The rate of the step that is taken after `step` finished ones.
  double at(std::int64_t step) const;
};

}  // namespace vkgpt::train
