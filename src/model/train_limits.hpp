#pragma once

#include "vkgpt/model/gpt_params.hpp"
#include "vkgpt/model/train_step.hpp"
#include "vkgpt/vk/device_caps.hpp"

namespace vkgpt::model {

/// Refuses (`plan::TooLarge`) sizes that no device holds before a plan of them is written, which would itself
/// take time and memory, and whose extents would not fit 64 bits; on a CPU also what its memory does not
/// hold.
void check_train_size(const GptParams& params, const TrainPlanOptions& options, const vk::DeviceCaps& caps,
                      bool base_in_blocks = false);

}  // namespace vkgpt::model
