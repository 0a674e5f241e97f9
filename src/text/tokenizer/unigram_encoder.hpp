#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "vkgpt/text/tokenizer/token.hpp"

#include "text/tokenizer/name_finder.hpp"

namespace vkgpt::text {

/// SentencePiece's unigram model (Kudo, arXiv:1804.10959): the pieces of a text with the highest sum of
/// scores, their log-probabilities.
class UnigramEncoder {
 public:
  struct Piece {
    std::string text;
    double score = 0;
  };

  /// `unknown` is the token for characters that no piece has, unless `byte_fallback` gives their bytes.
  /// Throws `Error`, naming `where`.
  UnigramEncoder(const std::vector<Piece>& pieces, std::optional<Token> unknown, bool byte_fallback,
                 const std::string& where);

  /// Appends the tokens of `text` as one word. Throws `Error` for what cannot be expressed.
  void append_word(std::string_view text, std::vector<Token>& out) const;

 private:
  void append_unknown(std::string_view text, std::vector<Token>& out) const;

  NameFinder trie_;
  std::vector<double> scores_;
  std::optional<Token> unknown_;
  double unknown_score_ = 0;
  std::vector<Token> bytes_;  // (256), or none
};

}  // namespace vkgpt::text
