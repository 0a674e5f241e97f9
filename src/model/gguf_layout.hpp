#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "vkgpt/model/gguf_writer.hpp"
#include "vkgpt/model/gpt_params.hpp"
#include "vkgpt/model/tensor_encoding.hpp"

namespace vkgpt::model {

/// What GGUF files call GPT-2, LLaMA and its relatives, SmolLM3 and Gemma 3.
inline constexpr std::string_view kGpt2Gguf = "gpt2";
inline constexpr std::string_view kLlamaGguf = "llama";
inline constexpr std::string_view kSmolLm3Gguf = "smollm3";
inline constexpr std::string_view kGemma3Gguf = "gemma3";
/// `GptConfig::rope_layers` of every Gemma 3, and its `attention_scalar`.
std::string gemma3_layers(std::int64_t n_layer);
double gemma3_attention_scalar(const GptConfig& config);

/// A tensor of the GGUF file and where its numbers come from.
struct GgufSource {
  GgufTensor tensor;
  const ParamSpec* spec = nullptr;  // null: zeros
  std::int64_t first_row = 0;
  std::int64_t rows = 0;            // that the parameter has; those of the tensor beyond are zero
  std::int64_t rotated_heads = 0;   // of which the rows are permuted; 0: none
  bool from_one = false;            // the file has 1 + the parameter
  std::vector<float> numbers = {};  // without a parameter: the tensor's own
};

/// The tensors of a GGUF file of this architecture ("gpt2", "llama", "qwen2", "qwen3", "smollm3", "gemma3")
/// that holds `params`.
std::vector<GgufSource> gguf_sources(const GptParams& params, std::string_view architecture,
                                     TensorEncoding encoding, std::int64_t vocabulary_rows);

}  // namespace vkgpt::model
