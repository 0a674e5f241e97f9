#include "vkgpt/model/train_step.hpp"

#include "vkgpt/core/check.hpp"

namespace vkgpt::model {

StepResults step_results(std::span<const float> readback) {
  VKGPT_CHECK(readback.size() == 8, "{} results of a step", readback.size());
  const float loss_scale = readback[4];
  // On the device the clip scale also takes the loss scale back.
  return {.loss = readback[0],
          .grad_norm = readback[1],
          .clip_scale = readback[2] * loss_scale,
          .skipped = readback[3] != 0,
          .loss_scale = loss_scale};
}

}  // namespace vkgpt::model
