#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "vkgpt/text/tokenizer/bpe_vocabulary.hpp"
#include "vkgpt/text/tokenizer/split_pattern.hpp"
#include "vkgpt/text/tokenizer/tokenizer.hpp"

namespace vkgpt::text {

class BpeEncoder;
class AddedTokens;

/// Byte-level byte-pair encoding.
class BpeTokenizer final : public Tokenizer {
 public:
  /// Throws `Error` where the vocabulary contradicts itself; `where` names it in messages. A byte without a
  /// token is an error of the text that has it.
  BpeTokenizer(BpeVocabulary vocabulary, std::unique_ptr<SplitPattern> split, const std::string& where);
  ~BpeTokenizer() override;

  const BpeVocabulary& vocabulary() const { return vocabulary_; }
  const SplitPattern& split() const { return *split_; }

  std::string_view kind() const override { return "bpe"; }
  std::int64_t vocab_size() const override { return static_cast<std::int64_t>(vocabulary_.tokens.size()); }
  /// Uses all hardware threads for a text of some length.
  void append_tokens(std::string_view text, std::vector<Token>& out) const override;
  /// The same with at most `threads` (>= 1) threads. The tokens do not depend on it.
  void append_tokens(std::string_view text, int threads, std::vector<Token>& out) const;
  std::vector<Token> encode_with_special(std::string_view text) const override;
  std::vector<Token> encode_partly_special(std::string_view text, const MayName& may_name) const override;
  void find_special_names() override;
  std::string decode(std::span<const Token> tokens) const override;
  std::optional<Token> special_token(std::string_view name) const override;
  std::optional<Token> end_of_text() const override;
  std::size_t safe_prefix(std::string_view text) const override;

 protected:
  std::string_view begin_name() const override { return vocabulary_.begin_of_text; }
  /// `tokenizer.json`, `tokenizer_config.json`, `vocab.json`, `merges.txt`.
  std::vector<TokenizerFile> own_files() const override;

 private:
  std::function<std::string(std::string_view)> normalizer() const;
  /// Text without names that are to be found, on one thread.
  void append_plain(std::string_view text, std::vector<Token>& out) const;
  /// Text where the names of `added` become their tokens, special ones where `may_name` allows it.
  void append_named(std::string_view text, const AddedTokens& added, std::vector<Token>& out,
                    const MayName& may_name = {}) const;
  /// Whether an added token could lie across byte `at`, or NFC join what is on its two sides.
  /// `safe_prefix` for patterns that are known by what they do, where text is normalized before they see it.
  std::size_t safe_before_white(std::string_view text) const;
  bool joined_at(std::string_view text, std::size_t at) const;

  BpeVocabulary vocabulary_;
  std::unique_ptr<SplitPattern> split_;
  std::unique_ptr<BpeEncoder> encoder_;
  std::unique_ptr<AddedTokens> special_names_;
  std::unique_ptr<AddedTokens> text_names_;  // found in every text
};

}  // namespace vkgpt::text
