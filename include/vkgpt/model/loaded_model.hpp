#pragma once

#include <vector>

#include "vkgpt/model/gpt_params.hpp"
#include "vkgpt/model/hf_config.hpp"

namespace vkgpt::model {

/// A whole model from its files.
struct LoadedModel {
  GptParams params;  // nothing frozen, no adapters
  std::vector<float> arena;
  ModelFormat format = {};  // of the files
};

}  // namespace vkgpt::model
