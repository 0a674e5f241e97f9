#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "vkgpt/core/file.hpp"
#include "vkgpt/model/gguf_writer.hpp"
#include "vkgpt/model/model_directory.hpp"

namespace vkgpt::model {

/// llama.cpp's word for the architecture that computes what `config` says: "gpt2", "llama" or "qwen3". Throws
/// `Error`, which names the settings at fault, where none does.
std::string_view gguf_architecture(const GptConfig& config);

/// What a GGUF file says beside its tensors.
struct GgufDescription {
  std::string name;                   // general.name
  std::vector<GgufEntry> vocabulary;  // tokenizer.ggml.*
  std::int64_t vocabulary_rows = 0;   // tokens in it, >= the model's V; rows beyond V are zero
};

/// What became of the tensors.
struct GgufSummary {
  std::string_view architecture;
  std::int64_t tensors = 0;
  std::int64_t not_quantized = 0;  // matrices whose rows are no multiple of 32: F16 in place of Q8_0
};

/// Writes a model as llama.cpp reads it: matrices in `encoding`, norms, biases and positions in F32; zero
/// biases where its GPT-2 needs them; a tied head left out; for its LLaMA, rows of queries and keys permuted
/// from halves to pairs. Throws `Error` for a model that llama.cpp cannot run, and as `encode_tensor` does.
GgufSummary write_gguf_model(OutputFile& file, const LoadedModel& model, TensorEncoding encoding,
                             const GgufDescription& description);

}  // namespace vkgpt::model
