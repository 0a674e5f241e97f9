#pragma once

#include <cstdint>
#include <string>

#include "vkgpt/core/dtype.hpp"
#include "vkgpt/model/gpt_params.hpp"
#include "vkgpt/model/train_plan.hpp"
#include "vkgpt/plan/schedule.hpp"
#include "vkgpt/train/train_config.hpp"
#include "vkgpt/vk/target.hpp"

namespace vkgpt::train {

/// The part of the model that the configuration trains.
model::Adaptation adaptation(const TrainConfig& config);

model::OptimizerKind optimizer_kind(const TrainConfig& config);

/// This rank's part of a step; none where there is one rank and its micro-steps need no order of their own.
model::RankOptions rank_options(const TrainConfig& config, int rank, int size);

/// The type that `amp` means on a device: "auto" is the one of bf16 and fp16 that the device has matrices
/// for, bf16 of two alike; f32 where shaders compute in neither. Throws `Error` where the device cannot hold
/// the type that is asked for.
DType activation_dtype(const TrainConfig& config, const vk::DeviceCaps& caps);

/// The most pairs of replies that a window of T positions holds.
std::int64_t pairs_per_window(std::int64_t T);

/// The objective of a run on pairs; of others nothing.
model::Preference preference(const TrainConfig& config, std::int64_t T);

/// One line, or none. Where bf16 is asked for: what its matrix products run on, and what would be faster. On
/// a GPU whose matrix units stay unused without anybody's wish: why. On a CPU driver that a newer one
/// outruns: that.
std::string speed_notice(const TrainConfig& config, const vk::Target& target);

/// The train plan of sequences of `T` tokens that a configuration means on a device, scheduled; `tapped` adds
/// the taps of the eager pass, `ranks` makes it a step of several ranks.
plan::Schedule train_schedule(const model::GptParams& params, const TrainConfig& config, std::int64_t T,
                              const vk::Target& target, bool tapped = false,
                              const model::RankOptions& ranks = {});

/// `batch_size`, or where that is automatic the largest multiple of 1, 2, 4, ... whose plan leaves a tenth of
/// the device's free memory; `ranks` as for `train_schedule`. Throws `Error` when not even one sequence fits.
std::int64_t resolve_batch_size(const model::GptParams& params, const TrainConfig& config,
                                const vk::Target& target, const model::RankOptions& ranks = {});

}  // namespace vkgpt::train
