#include "vkgpt/train/lr_schedule.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "vkgpt/core/check.hpp"

namespace vkgpt::train {
namespace {

LrSchedule::Kind kind_of(const std::string& name) {
  using enum LrSchedule::Kind;
  if (name == "cosine") return kCosine;
  if (name == "wsd") return kWsd;
  if (name == "linear") return kLinear;
  VKGPT_CHECK(name == "constant", "lr_schedule {}", name);
  return kConstant;
}

}  // namespace

LrSchedule::LrSchedule(const TrainConfig& config)
    : kind(kind_of(config.lr_schedule)),
      learning_rate(config.learning_rate),
      min_lr(config.end_rate()),
      warmup_steps(config.warmup_steps),
      decay_begin(config.warmup_steps),
      decay_steps(config.lr_decay_steps > 0 ? config.lr_decay_steps : config.max_steps) {
  if (kind == Kind::kWsd) {
    const std::int64_t decaying = std::llround(config.wsd_decay_fraction * static_cast<double>(decay_steps));
    decay_begin = std::max(warmup_steps, decay_steps - decaying);
  }
}

double LrSchedule::at(std::int64_t step) const {
  if (step < warmup_steps) {
    return learning_rate * static_cast<double>(step + 1) / static_cast<double>(warmup_steps + 1);
  }
  if (kind == Kind::kConstant) return learning_rate;
  if (step >= decay_steps) return min_lr;
  if (step <= decay_begin) return learning_rate;
  const double ratio =
      static_cast<double>(step - decay_begin) / static_cast<double>(decay_steps - decay_begin);
  const double left = kind == Kind::kCosine ? 0.5 * (1.0 + std::cos(std::numbers::pi * ratio)) : 1.0 - ratio;
  return min_lr + (learning_rate - min_lr) * left;
}

}  // namespace vkgpt::train
