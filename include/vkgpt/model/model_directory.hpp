#pragma once

#include <span>
#include <string>
#include <vector>

#include "vkgpt/core/file.hpp"
#include "vkgpt/model/gpt_config.hpp"
#include "vkgpt/model/gpt_params.hpp"

namespace vkgpt::model {

/// A model as Hugging Face lays it out: `config.json` and `model.safetensors` of a GPT2LMHeadModel. Every
/// checkpoint is such a directory.
inline constexpr const char* kModelConfigFile = "config.json";
inline constexpr const char* kModelWeightsFile = "model.safetensors";

/// Contents of `config.json`.
std::string model_config_json(const GptConfig& config);

/// Writes `model.safetensors`. `arena` holds the parameters (`GptParams::arena_elements`).
void write_model_parameters(OutputFile& file, const GptParams& params, std::span<const float> arena);

/// Reads `config.json`. Throws `Error` for a model of another kind or sizes that contradict each other.
GptConfig read_model_config(const Path& directory);

/// Reads `model.safetensors` into an arena. Throws `Error` for a tensor that is missing or of another shape.
std::vector<float> read_model_parameters(const Path& directory, const GptParams& params);

/// Writes arenas of the parameters' layout to one safetensors file, each tensor under its arena's prefix and
/// its parameter's name, as trained (no transposition).
struct NamedArena {
  std::string prefix;  // "adam_m."
  std::span<const float> values;
};
void write_arenas(OutputFile& file, const GptParams& params, std::span<const NamedArena> arenas);

/// Reads one arena that `write_arenas` wrote.
std::vector<float> read_arena(const Path& file, const GptParams& params, const std::string& prefix);

}  // namespace vkgpt::model
