#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "text/tokenizer/regex_split.hpp"

namespace vkgpt::text {

/// SentencePiece's table of replacements (a double-array trie and the texts that it leads to), as
/// `precompiled_charsmap` holds it.
class CharacterMap {
 public:
  /// `bytes`: the trie's size, the trie, the texts, each ended by a zero. Throws `Error` for what is cut
  /// short.
  CharacterMap(std::string_view bytes, const std::string& where);

  /// Whole grapheme clusters of up to 5 bytes are looked up first, then their characters.
  std::string apply(std::string_view text) const;

 private:
  /// The replacement of the shortest beginning of `part` that has one; false where none has.
  bool replace(std::string_view part, std::string& out) const;

  std::vector<std::uint32_t> trie_;
  std::string texts_;
};

/// What is done to a text before it is cut: the normalizers of Hugging Face's tokenizers that models made
/// with SentencePiece have.
class TextNormalizer {
 public:
  struct Prepend {
    std::string text;  ///< before every text that is not empty
  };
  struct Replace {
    std::shared_ptr<const RegexSplit> pattern;
    std::string content;
  };
  struct Unicode {
    int options = 0;  ///< utf8proc's, of a normal form
  };
  struct Lowercase {};
  struct Strip {
    bool left = false;
    bool right = false;
  };
  using Step = std::variant<Prepend, Replace, Unicode, Lowercase, Strip, std::shared_ptr<const CharacterMap>>;

  void add(Step step) { steps_.push_back(std::move(step)); }
  /// `continues`: the text goes on behind another, so that nothing is put before it.
  std::string apply(std::string_view text, bool continues = false) const;

  /// Whether the first character of the result stands for the first one of `text`: nothing before it was
  /// dropped, nor made one with what follows.
  bool keeps_beginning(std::string_view text) const;

 private:
  std::vector<Step> steps_;
};

}  // namespace vkgpt::text
