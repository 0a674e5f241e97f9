#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "vkgpt/model/gguf_writer.hpp"
#include "vkgpt/model/gpt_params.hpp"
#include "vkgpt/model/tensor_encoding.hpp"

namespace vkgpt::model {

/// A tensor of the GGUF file and where its numbers come from.
struct GgufSource {
  GgufTensor tensor;
  const ParamSpec* spec = nullptr;  // null: zeros
  std::int64_t first_row = 0;
  std::int64_t rows = 0;            // that the parameter has; those of the tensor beyond are zero
  std::int64_t rotated_heads = 0;   // of which the rows are permuted; 0: none
  std::vector<float> numbers = {};  // without a parameter: the tensor's own
};

/// The tensors of a GGUF file of this architecture ("gpt2", "llama", "qwen2", "qwen3", "smollm3") that holds
/// `params`.
std::vector<GgufSource> gguf_sources(const GptParams& params, std::string_view architecture,
                                     TensorEncoding encoding, std::int64_t vocabulary_rows);

}  // namespace vkgpt::model
