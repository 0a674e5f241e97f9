#pragma once

#include <cstdint>

#include "vkgpt/train/train_config.hpp"

namespace vkgpt::train {

/// The learning rate over the run: linear warm-up, then a cosine down to `min_lr` at `decay_steps`, constant
/// after it. nanoGPT's formula (`get_lr`), with steps counted from 0:
///   step < warmup:  lr (step + 1) / (warmup + 1)
///   step >= decay:  min_lr
///   else:           min_lr + (lr - min_lr) (1 + cos(pi r)) / 2,  r = (step - warmup) / (decay - warmup)
struct LrSchedule {
  double learning_rate = 0;
  double min_lr = 0;
  std::int64_t warmup_steps = 0;
  std::int64_t decay_steps = 0;

  explicit LrSchedule(const TrainConfig& config)
      : learning_rate(config.learning_rate),
        min_lr(config.min_lr),
        warmup_steps(config.warmup_steps),
        decay_steps(config.max_steps) {}

  /// The rate of the step that is taken after `step` finished ones.
  double at(std::int64_t step) const;
};

}  // namespace vkgpt::train
