#pragma once

#include <span>
#include <string_view>

namespace vkgpt::text {

/// A file that is part of the program.
struct EmbeddedFile {
  std::string_view name;
  std::string_view contents;
};

/// `assets/gpt2`: the merges of GPT-2 (vocab.bpe).
std::span<const EmbeddedFile> embedded_gpt2();

}  // namespace vkgpt::text
