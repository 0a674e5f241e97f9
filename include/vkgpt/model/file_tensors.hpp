#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "vkgpt/core/shape.hpp"
#include "vkgpt/model/gpt_params.hpp"

namespace vkgpt::model {

/// How tensors are named and laid out in files.
enum class TensorLayout {
  kGpt2,   ///< GPT2LMHeadModel; also this program's own combinations, whose names it lends
  kLlama,  ///< LlamaForCausalLM and its relatives: q, k, v and gate, up apart
};

/// One tensor of a file: consecutive rows of a parameter.
struct FileTensor {
  std::string name;                 // in the file
  Shape shape;                      // in the file, without padding
  const ParamSpec* spec = nullptr;  // the parameter that holds it
  std::int64_t first_row = 0;       // of spec->shape[0]; the rows are as many as the shape says
  bool transposed = false;          // (in, out) in the file: Conv1D
};

/// Every tensor of a model file, in the order of the parameters, adapters left out. Views `params`.
std::vector<FileTensor> file_tensors(const GptParams& params, TensorLayout layout);

/// What PEFT puts before the names of modules.
inline constexpr std::string_view kAdapterPrefix = "base_model.model.";

/// The same of the adapters, as PEFT names them. In LLaMA's layout the adapter of c_attn becomes those of q,
/// k and v: each has all of A, and its rows of B.
std::vector<FileTensor> adapter_tensors(const GptParams& params, TensorLayout layout);

/// Moves one tensor between its rows in a parameter arena and its form in a file (`shape.numel()` elements).
void to_file(const FileTensor& tensor, std::span<const float> arena, std::span<float> file);
void from_file(const FileTensor& tensor, std::span<const float> file, std::span<float> arena);

}  // namespace vkgpt::model
