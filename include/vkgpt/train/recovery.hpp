#pragma once

#include <functional>
#include <memory>

#include "vkgpt/train/trainer.hpp"

namespace vkgpt::train {

using OpenDevice = std::function<std::unique_ptr<vk::Context>()>;

/// `Trainer::run` on the device that `open_device` gives. When the device is lost: says what was running,
/// opens the device again, loads the newest checkpoint, halves the work of a submission and of the largest
/// dispatch; at most three times. A device that is missing or refuses after a loss is awaited for a minute.
/// What was in memory after a loss is never saved.
TrainSummary train_with_recovery(const OpenDevice& open_device, const RunInput& input, TrainConfig config);

}  // namespace vkgpt::train
