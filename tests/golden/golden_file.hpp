#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "vkgpt/model/gpt_config.hpp"

namespace vkgpt::golden {

struct Tensor {
  std::vector<std::int64_t> shape;
  std::vector<float> values;  // I32 tensors too: their values are small

  std::vector<std::int32_t> ints() const { return {values.begin(), values.end()}; }
};

/// Loads tests/golden/NAME: a safetensors file of F32 and I32 tensors. It trusts the file, and is no part of
/// vkgpt, so that a fault of vkgpt's own reader cannot hide here.
std::map<std::string, Tensor> load(std::string_view name);

/// The architecture of the model in tests/golden/NAME.
model::GptConfig load_config(std::string_view name);

}  // namespace vkgpt::golden
