#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "vkgpt/text/tokenizer/bpe_vocabulary.hpp"

namespace vkgpt::text {

/// The tokens that a word begins as, before anything is merged: those of its bytes or of its characters.
class FirstTokens {
 public:
  /// `token_of`: tokens of bytes, without the special ones where words are bytes. Views `vocabulary`, which
  /// outlives this.
  FirstTokens(const BpeVocabulary& vocabulary, const std::unordered_map<std::string_view, Token>& token_of);

  /// Writes the tokens of `word` to `out`, which has room for as many as its bytes, and gives their number.
  /// Throws `Error` for what the vocabulary cannot express.
  std::size_t put(std::string_view word, Token* out) const;

  /// Whether every byte has a token, so that each becomes exactly one.
  bool one_for_each_byte() const { return complete_ && !vocabulary_.of_characters; }

  /// Whether a merge could join the characters on the two sides of byte `at`, which is inside `text`; where
  /// not, the parts may be encoded apart.
  bool may_join(std::string_view text, std::size_t at) const;

 private:
  static constexpr std::size_t kPairBits = std::size_t{1} << 22U;

  static std::size_t pair_slot(std::string_view left, std::string_view right);
  void add_neighbours(std::string_view token);
  std::size_t put_characters(std::string_view word, Token* out) const;
  bool put_bytes(std::string_view character, Token* out) const;
  /// Appends the token for what has none; gives how many there are then.
  std::size_t put_unknown(std::string_view character, bool follows_unknown, Token* out,
                          std::size_t count) const;

  const BpeVocabulary& vocabulary_;
  std::array<Token, 256> byte_tokens_{};  // -1 where there is none
  bool complete_ = true;
  std::unordered_map<std::string_view, Token> characters_;
  std::vector<bool> pairs_;  // by hash: characters that follow each other in some token
};

}  // namespace vkgpt::text
