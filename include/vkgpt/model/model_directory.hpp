#pragma once

#include <span>
#include <string>
#include <vector>

#include "vkgpt/core/file.hpp"
#include "vkgpt/model/adapter_config.hpp"
#include "vkgpt/model/gpt_config.hpp"
#include "vkgpt/model/gpt_params.hpp"
#include "vkgpt/model/hf_config.hpp"
#include "vkgpt/model/loaded_model.hpp"
#include "vkgpt/model/tensor_encoding.hpp"

namespace vkgpt::model {

/// A model as Hugging Face lays it out: `config.json` and `model.safetensors`, or shards with their index.
/// Every checkpoint is such a directory. `hf_config` says which class of transformers loads it.
inline constexpr const char* kModelWeightsFile = "model.safetensors";
inline constexpr const char* kModelIndexFile = "model.safetensors.index.json";
inline constexpr const char* kEmaWeightsFile = "model_ema.safetensors";

/// Writes the parameters in `arena` (`GptParams::arena_elements`), without adapters, in `hf_layout`. Throws
/// as `encode_tensor` does where `encoding`, which is not Q8_0, is one of 16 bits.
void write_model_parameters(OutputFile& file, const GptParams& params, std::span<const float> arena,
                            TensorEncoding encoding = TensorEncoding::kF32);
/// Writes the adapters.
void write_adapters(OutputFile& file, const GptParams& params, std::span<const float> arena);

/// Reads `config.json`, or what a .gguf file says. Throws `Error`, as `read_model_format` does.
GptConfig read_model_config(const Path& directory);

/// The same model for texts of at most `block_size` tokens, no more than it has: what it computes of them is
/// the same.
GptConfig with_shorter_context(GptConfig config, std::int64_t block_size);

/// A model with rotary positions for texts of up to `block_size` tokens, no fewer than it has. What stretches
/// its positions stays that of its first context.
GptConfig with_longer_context(GptConfig config, std::int64_t block_size);

/// Reads the parameters, and the adapters that `params` has, into an arena of its layout; 16-bit tensors are
/// widened. Throws `Error` for a tensor that is missing, of another shape, or would go unused.
std::vector<float> read_model_parameters(const Path& directory, const GptParams& params,
                                         const char* weights_file = kModelWeightsFile);

/// Makes it one for texts of at most `block_size` tokens.
void shorten_context(LoadedModel& model, std::int64_t block_size);

/// Reads a directory's model with its adapters merged, or a .gguf file; `average` takes the averaged weights.
/// Throws `Error`.
LoadedModel load_model(const Path& directory, bool average = false);

}  // namespace vkgpt::model
