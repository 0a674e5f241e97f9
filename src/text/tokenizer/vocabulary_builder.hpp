#pragma once

#include <cstdint>
#include <span>
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
  /// `of_characters`: tokens are written as they are, not as byte-level strings.
  explicit VocabularyBuilder(std::string where, bool of_characters = false)
      : where_(std::move(where)), of_characters_(of_characters) {}

  /// `{"token": number}`.
  void add_vocab(const Json& vocab);
  void add_token(const std::string& token, std::uint64_t number);
  /// A token under its own name. As Hugging Face's tokenizers have it: its number is that of the vocabulary,
  /// where it is there, else the next after all others; of two with one name the first counts, and one
  /// without a name does not.
  void add_special(AddedToken token);
  /// Adds the added tokens of `names`, and takes those tokens of the vocabulary that it names for special.
  void add_named_specials(const SpecialNames& names);
  /// Takes tokens of the vocabulary with a usual name for the end of a text for special.
  void add_usual_specials();
  /// Checks the numbers and makes room for the tokens.
  void place_tokens();
  /// Tokens as files write them, "left right" in one or apart.
  void add_merge(std::string_view both);
  void add_merge(const std::string& left, const std::string& right);
  /// The member "merges" of a model: such strings, or lists of two.
  void add_merges(const Json& model);
  /// `unknown`: the token for what has none; may be empty.
  BpeVocabulary finish(const SpecialNames& names, const std::string& unknown = {});

 private:
  Token number_of(const std::string& token) const;

  std::string where_;
  bool of_characters_;
  std::unordered_map<std::string, std::uint64_t> numbers_;  // of tokens as files write them
  std::size_t vocab_count_ = 0;                             // of them, without what was added
  std::uint64_t added_limit_ = 0;                           // after the highest number of an added token
  std::vector<AddedToken> specials_;
  BpeVocabulary vocabulary_;
};

/// The usual names of the token that ends a text, most usual first.
std::span<const std::string_view> end_of_text_names();

/// Whether `split` has a scanner of its own.
bool is_known_split(const SplitPattern& split);

}  // namespace vkgpt::text
