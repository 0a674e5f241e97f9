#pragma once

#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "vkgpt/text/split_pattern.hpp"
#include "vkgpt/text/tokenizer.hpp"

namespace vkgpt::text {

/// What a byte-level BPE tokenizer knows (Sennrich et al. 2016, on bytes as GPT-2 does it).
struct BpeVocabulary {
  struct Merge {
    Token left = 0;
    Token right = 0;
    Token merged = 0;
  };
  struct Special {
    Token token = 0;
    std::string name;
  };
  std::vector<std::string> tokens;  // (V) the bytes that a token stands for; a special one's name
  std::vector<Merge> merges;        // the earlier, the stronger; several may give the same token
  std::vector<Special> specials;
  std::string end_of_text;  // name of the special token that ends a document; may be empty
};

/// Byte-level byte-pair encoding.
class BpeTokenizer final : public Tokenizer {
 public:
  /// Throws `Error` where the vocabulary lacks a byte or contradicts itself; `where` names it in messages.
  BpeTokenizer(BpeVocabulary vocabulary, std::unique_ptr<SplitPattern> split, const std::string& where);

  const BpeVocabulary& vocabulary() const { return vocabulary_; }
  const SplitPattern& split() const { return *split_; }

 private:
  BpeVocabulary vocabulary_;
  std::unique_ptr<SplitPattern> split_;
};

/// A token's bytes as GPT-2 writes them in vocabulary files: printable Latin-1 for itself, the others from
/// U+0100 on.
std::string to_byte_level(std::string_view bytes);
/// The inverse; nothing where a character stands for no byte.
std::optional<std::string> from_byte_level(std::string_view characters);

}  // namespace vkgpt::text
