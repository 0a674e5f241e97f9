#pragma once

#include <span>

#include "vkgpt/core/file.hpp"
#include "vkgpt/text/generate/generator.hpp"

namespace vkgpt::cli {

/// Writes a safetensors file of `tokens` (n), the first block_size of those given, and the `logits` (n, V)
/// after each of them: what other programs compute of the same model can be compared with it. The file
/// appears whole or not at all.
void write_logits(const Path& path, text::Generator& generator, const model::GptConfig& config,
                  std::span<const text::Token> tokens);

}  // namespace vkgpt::cli
