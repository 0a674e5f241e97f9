#pragma once

#include <cstdint>

#include "vkgpt/model/gpt_params.hpp"
#include "vkgpt/train/train_config.hpp"
#include "vkgpt/vk/target.hpp"

namespace vkgpt::train {

/// What a device and its line to the others do. Every rank has alike, and a line of its own, both ways at
/// once.
struct RankSpeed {
  double micro_step_seconds = 0;  // a step of one micro-step on one device, update included
  double line_bits_per_second = 10e9;
  double latency_seconds = 50e-6;  // of a message
};

/// A step of several ranks as the cost model sees it.
struct RankCost {
  int ranks = 1;
  double step_seconds = 0;
  double compute_seconds = 0;      // of those, in which the slowest rank's device works
  double one_device_seconds = 0;   // the same micro-steps on one device
  std::uint64_t sent_bytes = 0;    // by the rank that sends most
  std::uint64_t memory_bytes = 0;  // device memory of the rank that needs most

  double speedup() const { return one_device_seconds / step_seconds; }
  double efficiency() const { return speedup() / ranks; }
};

/// Predicts a step: segments of the plan take time by their operations and bytes, in the measure that
/// `speed` gives; buckets leave as the backward finishes them and queue on the lines of sender and owner; the
/// weights come back after the update. Throws a usage error where the ranks do not divide the micro-steps.
RankCost predict_step(const model::GptParams& params, const TrainConfig& config, const vk::Target& target,
                      int ranks, const RankSpeed& speed);

}  // namespace vkgpt::train
