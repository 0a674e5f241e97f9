#pragma once

#include <string>

#include "vkgpt/core/file.hpp"
#include "vkgpt/model/adapter.hpp"

namespace vkgpt::model {

/// Writes adapters as llama.cpp reads them beside their model (--lora): type "adapter", tensors NAME.lora_a
/// (r, in) and NAME.lora_b (rows, r) in F32; for its LLaMA, rows of queries and keys permuted from halves to
/// pairs. Gives the architecture. Throws `Error` for a model that llama.cpp cannot run.
std::string_view write_gguf_adapter(OutputFile& file, const Adapter& adapter, const GptParams& params,
                                    const std::string& name);

}  // namespace vkgpt::model
