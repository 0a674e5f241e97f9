#pragma once

#include <cstdint>
#include <vector>

#include "vkgpt/model/gpt_config.hpp"
#include "vkgpt/train/data_loader.hpp"
#include "vkgpt/train/step_runner.hpp"
#include "vkgpt/train/train_config.hpp"
#include "vkgpt/vk/context.hpp"

namespace vkgpt::cli {

/// A step runner with fresh weights on random tokens: training as measurements need it.
class RandomRunner {
 public:
  RandomRunner(vk::Context& context, const model::GptConfig& model, const train::TrainConfig& config);

  train::StepRunner* operator->() { return &runner_; }
  train::StepRunner& operator*() { return runner_; }

 private:
  std::vector<std::int32_t> tokens_;
  train::DataLoader loader_;
  train::StepRunner runner_;
};

}  // namespace vkgpt::cli
