#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "vkgpt/core/json.hpp"

#include "text/tokenizer/tokenizer_formats.hpp"

namespace vkgpt::text {

/// Puts together a vocabulary from what files say, in this order: `add_vocab`, special tokens,
/// `place_tokens`, merges, `finish`. Each throws `Error` whose line begins with `where`.
class VocabularyBuilder {
 public:
  explicit VocabularyBuilder(std::string where) : where_(std::move(where)) {}

  /// `{"token": number}`, tokens as byte-level strings.
  void add_vocab(const Json& vocab);
  /// A token under its own name; it may be in the vocabulary already, under the same number.
  void add_special(const std::string& name, std::uint64_t number, bool in_text);
  /// Takes those tokens of the vocabulary for special that carry a name from `names` or a usual one for the
  /// end of a text.
  void add_known_specials(const SpecialNames& names);
  /// Checks the numbers and makes room for the tokens.
  void place_tokens();
  /// Byte-level strings, "left right" in one or apart.
  void add_merge(std::string_view both);
  void add_merge(const std::string& left, const std::string& right);
  BpeVocabulary finish(const SpecialNames& names);

 private:
  Token number_of(const std::string& token) const;

  std::string where_;
  std::unordered_map<std::string, std::uint64_t> numbers_;  // of tokens as files write them
  std::vector<BpeVocabulary::Special> specials_;
  BpeVocabulary vocabulary_;
};

/// The usual names of the token that ends a text, most usual first.
std::span<const std::string_view> end_of_text_names();

/// Whether `split` has a scanner of its own.
bool is_known_split(const SplitPattern& split);

}  // namespace vkgpt::text
