#pragma once

#include <string>

#include "vkgpt/core/file.hpp"
#include "vkgpt/model/file_tensors.hpp"
#include "vkgpt/model/gpt_params.hpp"

namespace vkgpt::model {

inline constexpr const char* kAdapterConfigFile = "adapter_config.json";
inline constexpr const char* kAdapterWeightsFile = "adapter_model.safetensors";

/// Contents of `adapter_config.json`, as PEFT has it, for weights in `layout`. There must be adapters.
std::string adapter_config_json(const GptParams& params, TensorLayout layout);

/// The adapters of a directory whose model is in `layout`; none where it has no adapter_config.json. Throws
/// `Error`.
Adaptation read_adaptation(const Path& directory, TensorLayout layout);

}  // namespace vkgpt::model
