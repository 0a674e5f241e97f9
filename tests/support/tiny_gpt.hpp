#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "vkgpt/model/gpt_params.hpp"
#include "vkgpt/model/train_plan.hpp"
#include "vkgpt/plan/executor.hpp"
#include "vkgpt/plan/tensor_store.hpp"

#include "golden/golden_file.hpp"

namespace vkgpt::test {

/// The train plan of a golden file's model on the shared device, run segment by segment.
class TinyGpt {
 public:
  explicit TinyGpt(const std::string& golden_name);
  /// With the optimizer, the shape of the loss and so on changed from what tests/golden/README.md says.
  TinyGpt(const std::string& golden_name, const std::function<void(model::TrainPlanOptions&)>& change,
          float learning_rate);
  /// Planned for another device than the shared one.
  TinyGpt(const std::string& golden_name, const std::function<void(model::TrainPlanOptions&)>& change,
          float learning_rate, const vk::Target& target);

  const std::map<std::string, golden::Tensor>& golden() const { return golden_; }
  const model::GptConfig& config() const { return config_; }
  const model::GptParams& params() const { return params_; }
  plan::TensorStore& store() { return store_; }

  std::vector<float> download(const char* arena);
  void upload(const char* arena, std::span<const float> values);
  /// The elements of one parameter in `arena`, without the vocabulary's padding.
  std::vector<float> part(std::span<const float> arena, const std::string& name) const;

  /// One step on the golden batch with the golden optimizer settings; `update` runs AdamW too.
  model::StepResults step(std::int64_t index, bool update);
  /// Mean loss of the golden batch.
  float loss();

 private:
  int fill_slot(std::int64_t step);

  std::map<std::string, golden::Tensor> golden_;
  model::GptConfig config_;
  model::TrainPlanOptions options_;
  vk::DeviceCaps caps_;
  float learning_rate_;
  model::GptParams params_;
  plan::TensorStore store_;
  plan::Executor executor_;
  plan::SlotRing ring_;
};

}  // namespace vkgpt::test
