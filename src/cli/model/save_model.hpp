#pragma once

#include "vkgpt/core/file.hpp"
#include "vkgpt/model/model_directory.hpp"
#include "vkgpt/text/tokenizer/tokenizer.hpp"

namespace vkgpt::cli {

/// Writes a model directory, in fp32 or 16 bits, which every command and, where it has such a class,
/// transformers read. It appears whole or not at all; there must be nothing of that name. A
/// signal that arrives meanwhile ends it. Throws `Error`.
void save_model(const Path& directory, const model::LoadedModel& model, const text::Tokenizer& tokenizer,
                model::TensorEncoding encoding = model::TensorEncoding::kF32);

}  // namespace vkgpt::cli
