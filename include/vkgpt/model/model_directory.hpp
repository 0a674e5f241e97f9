#pragma once

#include <span>
#include <string>
#include <vector>

#include "vkgpt/core/file.hpp"
#include "vkgpt/model/gpt_config.hpp"
#include "vkgpt/model/gpt_params.hpp"

namespace vkgpt::model {

/// A model as Hugging Face lays it out: `config.json` and `model.safetensors`. Every checkpoint is such a
/// directory. GPT2LMHeadModel loads those that are GPT-2; the configuration of any other combination says
/// that only vkgpt reads it.
inline constexpr const char* kModelConfigFile = "config.json";
inline constexpr const char* kModelWeightsFile = "model.safetensors";
inline constexpr const char* kEmaWeightsFile = "model_ema.safetensors";
inline constexpr const char* kAdapterConfigFile = "adapter_config.json";
inline constexpr const char* kAdapterWeightsFile = "adapter_model.safetensors";

/// Contents of `config.json`.
std::string model_config_json(const GptConfig& config);
/// Contents of `adapter_config.json`, as PEFT has it. There must be adapters.
std::string adapter_config_json(const Adaptation& adaptation);

/// Writes the parameters in `arena` (`GptParams::arena_elements`), without adapters.
void write_model_parameters(OutputFile& file, const GptParams& params, std::span<const float> arena);
/// Writes the adapters.
void write_adapters(OutputFile& file, const GptParams& params, std::span<const float> arena);

/// Reads `config.json`. Throws `Error` for a model of another kind or sizes that contradict each other.
GptConfig read_model_config(const Path& directory);

/// Reads the parameters, and the adapters that `params` has, into an arena of its layout. Throws `Error` for
/// a tensor that is missing or of another shape.
std::vector<float> read_model_parameters(const Path& directory, const GptParams& params,
                                         const char* weights_file = kModelWeightsFile);

/// A whole model from its directory.
struct LoadedModel {
  GptParams params;  // nothing frozen, no adapters
  std::vector<float> arena;
};

/// Reads a directory's model with its adapters merged; `average` takes the averaged weights. Throws `Error`.
LoadedModel load_model(const Path& directory, bool average = false);

}  // namespace vkgpt::model
