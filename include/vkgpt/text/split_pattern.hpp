#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace vkgpt::text {

/// The rule by which text is cut into words before byte-pair merges apply inside each. Safe from several
/// threads; linear in the text.
class SplitPattern {
 public:
  virtual ~SplitPattern() = default;

  /// The end of the word that begins at `text[at]` (at < text.size()); `at` is the end of another word or 0.
  /// Invalid UTF-8 is cut somehow: the words always make up the text.
  virtual std::size_t next(std::string_view text, std::size_t at) const = 0;

  /// See `Tokenizer::safe_prefix`.
  virtual std::size_t safe_prefix(std::string_view text) const = 0;

  /// The regular expression, in Hugging Face's syntax; empty for one that cuts nothing.
  virtual std::string regex() const = 0;
};

/// By name: "gpt2", "cl100k", "o200k", "none". Throws `Error` for another.
std::unique_ptr<SplitPattern> make_split_pattern(std::string_view name);

}  // namespace vkgpt::text
