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

/// Reads what `write_gguf_adapter` or llama.cpp's converter wrote, for a model of these parameters (nothing
/// frozen, no adapters); factors of any type are widened. Throws `Error`, one line: for another kind of file,
/// another architecture, factors of several ranks, tensors that are no matrices of blocks, and shapes of
/// another model.
Adapter read_gguf_adapter(const Path& path, const GptParams& params);

}  // namespace vkgpt::model
