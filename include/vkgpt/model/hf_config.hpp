#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "vkgpt/core/file.hpp"
#include "vkgpt/model/file_tensors.hpp"
#include "vkgpt/model/gpt_config.hpp"
#include "vkgpt/model/token_ids.hpp"

namespace vkgpt::model {

/// What a `config.json` says: the architecture, and how the weights beside it are laid out.
struct ModelFormat {
  GptConfig config;
  std::string model_type;  // transformers' word: "gpt2", "llama", "mistral", "qwen2", "qwen3"; or "vkgpt"
  TensorLayout layout = TensorLayout::kGpt2;
  /// Endings of tensors that this class lacks and that are zero here: Qwen2's o_proj has no bias, say.
  std::vector<std::string_view> zero_endings = {};
};

/// The class of transformers that computes what `config` does: "gpt2", "llama", "mistral" (a window) or
/// "qwen3" (normed queries and keys); "vkgpt" where there is none.
std::string_view hf_model_type(const GptConfig& config);

/// The layout in which `config`'s weights are written.
TensorLayout hf_layout(const GptConfig& config);

/// Contents of `config.json`. `ids` are those of the tokenizer; `dtype` is torch's word for the type of the
/// weights. The exact configuration stands in the member "vkgpt".
std::string model_config_json(const GptConfig& config, const TokenIds& ids = {},
                              std::string_view dtype = "float32");

/// Reads a `config.json` of transformers or of this program. Throws `Error`, one line that names the file,
/// for a model of another kind, features that this version does not compute and sizes that contradict each
/// other.
ModelFormat read_model_format(const Path& path);

}  // namespace vkgpt::model
