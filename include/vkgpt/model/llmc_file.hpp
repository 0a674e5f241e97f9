#pragma once

#include "vkgpt/core/file.hpp"
#include "vkgpt/model/model_directory.hpp"
#include "vkgpt/model/tensor_encoding.hpp"

namespace vkgpt::model {

/// Reads a GPT-2 that llm.c or its Python script wrote (`gpt2_124M.bin`): versions 3 (fp32) and 5 (bf16), an
/// exact file size. Throws `Error`, one line that names the file, for anything else.
LoadedModel read_llmc_model(const Path& path);

/// Writes the same, in kF32 or kBF16; the vocabulary is padded to a multiple of 128 as llm.c's script does.
/// Throws `Error` for a model that is not a GPT-2 with a tied head, naming the setting.
void write_llmc_model(OutputFile& file, const LoadedModel& model, TensorEncoding encoding);

}  // namespace vkgpt::model
