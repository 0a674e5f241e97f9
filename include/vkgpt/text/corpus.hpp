#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "vkgpt/core/file.hpp"
#include "vkgpt/text/tokenizer.hpp"

namespace vkgpt::text {

/// The text of a file. Throws `Error` (exit 1) where it is missing, a directory, unreadable, empty or not
/// UTF-8, and a usage error where `path` itself is empty.
std::string read_text(const Path& path);

/// The beginning of a text for training and its end for validation.
struct TextSplit {
  std::string_view train;
  std::string_view validation;
};

/// Cuts after (1 - val_fraction) of the bytes, moved back to the beginning of a character. The parts view
/// `text`.
TextSplit split_text(std::string_view text, double val_fraction);

/// An encoded text.
struct Corpus {
  std::vector<Token> train;
  std::vector<Token> validation;  ///< empty where val_fraction is 0

  /// Encodes both parts. Throws `Error` where a part has fewer than block_size + 1 tokens, the least that a
  /// crop with its targets needs; `where` names the text in the message.
  static Corpus encode(std::string_view text, const Tokenizer& tokenizer, double val_fraction,
                       std::int64_t block_size, const std::string& where);
};

}  // namespace vkgpt::text
