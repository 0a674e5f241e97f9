#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "vkgpt/text/tokenizer/bpe_vocabulary.hpp"
#include "vkgpt/text/tokenizer/tokenizer.hpp"

#include "text/tokenizer/name_finder.hpp"

namespace vkgpt::text {

/// Finds added tokens by their names in one reading of a text, by the rules of Hugging Face's tokenizers.
class AddedTokenFinder {
 public:
  /// `name` is the token's, or its form in normalized text.
  void add(const AddedToken& token, std::string_view name);

  bool empty() const { return names_.empty(); }

  /// Whether what was found, `token` by its name from `begin` to `end`, counts.
  using Accept = std::function<bool(Token token, std::size_t begin, std::size_t end)>;

  /// Gives `on_text` what lies between added tokens, and `on_token` those, in order. Empty stretches are left
  /// out. Without `accept` everything that is found counts.
  void cut(std::string_view text, const std::function<void(std::string_view)>& on_text,
           const std::function<void(Token)>& on_token, const Accept& accept = {}) const;

  /// Whether `token`, which this knows, is found in every text.
  bool in_text(Token token) const { return flags(token).in_text; }

  /// Whether what is found could depend on both sides of byte `at`, given that the text may go on.
  bool may_cross(std::string_view text, std::size_t at) const;

 private:
  struct Flags {
    bool in_text = false;
    bool single_word = false;
    bool lstrip = false;
    bool rstrip = false;
  };

  const Flags& flags(Token token) const { return flags_[static_cast<std::size_t>(token)]; }

  NameFinder names_;
  std::vector<Flags> flags_;  // by token
  bool strips_ = false;       // some token takes white space
  bool looks_around_ = false;
};

/// The added tokens of a vocabulary: those that are looked for in the text itself, then those of normalized
/// text.
class AddedTokens {
 public:
  using Normalize = std::function<std::string(std::string_view)>;

  /// Takes those of `tokens` that are found in every text, or all.
  AddedTokens(const std::vector<AddedToken>& tokens, bool all, const Normalize& normalize);

  bool empty() const { return raw_.empty() && normalized_.empty(); }
  const AddedTokenFinder& raw() const { return raw_; }
  const AddedTokenFinder& normalized() const { return normalized_; }
  bool may_cross(std::string_view text, std::size_t at) const {
    return raw_.may_cross(text, at) || normalized_.may_cross(text, at);
  }

  /// What counts in a text where `may_name` says which bytes may name special tokens.
  AddedTokenFinder::Accept accept_raw(const MayName& may_name) const;
  /// What counts in `normalized`, which was made of `part`, whose first byte is number `begin` of the text. A
  /// special name counts where names of `part` and of `normalized` are the same ones, one for one.
  AddedTokenFinder::Accept accept_normalized(std::string_view part, std::size_t begin,
                                             std::string_view normalized, const MayName& may_name) const;

 private:
  AddedTokenFinder raw_;
  AddedTokenFinder normalized_;
  AddedTokenFinder before_normalizing_;  // the same tokens as `normalized_`
};

}  // namespace vkgpt::text
