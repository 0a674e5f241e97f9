#pragma once

#include <array>

#include "vkgpt/text/tokenizer/tokenizer.hpp"

namespace vkgpt::text {

/// One token per Unicode code point; tokens are numbered in the order of code points, as nanoGPT's
/// `prepare.py` for characters does.
class CharTokenizer final : public Tokenizer {
 public:
  /// The vocabulary is what occurs in `text`. `where` names the text in messages. Throws `Error` for text
  /// that is empty or not UTF-8.
  static CharTokenizer from_text(std::string_view text, const std::string& where);

  /// Reads the `tokenizer.json` that `own_files` gives: Hugging Face's BPE without merges. `where` names the
  /// file in messages.
  static CharTokenizer from_json(std::string_view json, const std::string& where);

  std::int64_t vocab_size() const override { return static_cast<std::int64_t>(characters_.size()); }
  void append_tokens(std::string_view text, std::vector<Token>& out) const override;
  std::string decode(std::span<const Token> tokens) const override;
  std::size_t safe_prefix(std::string_view text) const override;

 protected:
  std::vector<TokenizerFile> own_files() const override;

 private:
  explicit CharTokenizer(std::vector<char32_t> characters);

  /// -1 where the vocabulary lacks it.
  Token token_of(char32_t character) const;

  std::vector<char32_t> characters_;  // (V), ascending
  std::array<Token, 128> ascii_{};    // -1 where absent
};

}  // namespace vkgpt::text
