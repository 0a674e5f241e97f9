#pragma once

#include <optional>
#include <vector>

#include "vkgpt/model/file_tensors.hpp"
#include "vkgpt/model/hf_config.hpp"
#include "vkgpt/model/param_source.hpp"
#include "vkgpt/model/safetensors.hpp"

#include "model/tensor_reader.hpp"

namespace vkgpt::model {

/// The parameters in the safetensors files of a model directory. Opening checks that all are there, and
/// nothing else is.
class ModelFiles final : public ParamSource {
 public:
  ModelFiles(const Path& directory, const char* name, const ModelFormat& format);

  void read(const ParamSpec& spec, std::int64_t first, std::int64_t count,
            std::span<float> values) const override;

 private:
  void check_zeros(const std::vector<SafetensorsTensor>& zeros);
  void check_head();

  GptParams params_;
  TensorReader reader_;
  std::vector<FileTensor> tensors_;
};

/// The biases of GPT2LMHeadModel that a GPT-2 without biases lacks: its files have zeros for them.
std::vector<SafetensorsTensor> zero_biases(const GptConfig& config);

}  // namespace vkgpt::model
