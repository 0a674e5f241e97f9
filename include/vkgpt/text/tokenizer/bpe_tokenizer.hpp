#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "vkgpt/text/tokenizer/split_pattern.hpp"
#include "vkgpt/text/tokenizer/tokenizer.hpp"

namespace vkgpt::text {

class BpeEncoder;
class NameFinder;

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
    bool in_text = false;  ///< found in every text: what Hugging Face calls added but not special
  };
  std::vector<std::string>
      tokens;                 // (V) the bytes that a token stands for; a special one's name; empty: no token
  std::vector<Merge> merges;  // the earlier, the stronger; several may give the same token
  std::vector<Special> specials;
  std::string end_of_text;     // name of the special token that ends a document; may be empty
  std::string begin_of_text;   // the same for its beginning; nothing here adds it to a text
  bool ignore_merges = false;  // a word that is a token is that token, whatever the merges say
  bool nfc = false;            // text becomes Unicode's NFC first: then decoding gives that, not the text
};

/// Byte-level byte-pair encoding.
class BpeTokenizer final : public Tokenizer {
 public:
  /// Throws `Error` where the vocabulary lacks a byte or contradicts itself; `where` names it in messages.
  BpeTokenizer(BpeVocabulary vocabulary, std::unique_ptr<SplitPattern> split, const std::string& where);
  ~BpeTokenizer() override;

  const BpeVocabulary& vocabulary() const { return vocabulary_; }
  const SplitPattern& split() const { return *split_; }

  std::int64_t vocab_size() const override { return static_cast<std::int64_t>(vocabulary_.tokens.size()); }
  /// Uses all hardware threads for a text of some length.
  void append_tokens(std::string_view text, std::vector<Token>& out) const override;
  /// The same with at most `threads` (>= 1) threads. The tokens do not depend on it.
  void append_tokens(std::string_view text, int threads, std::vector<Token>& out) const;
  std::vector<Token> encode_with_special(std::string_view text) const override;
  void find_special_names() override;
  std::string decode(std::span<const Token> tokens) const override;
  std::optional<Token> special_token(std::string_view name) const override;
  std::optional<Token> end_of_text() const override;
  std::size_t safe_prefix(std::string_view text) const override;
  /// `tokenizer.json`, `tokenizer_config.json`, `vocab.json`, `merges.txt`.
  std::vector<TokenizerFile> files() const override;

 private:
  /// Text without names that are to be found, on one thread.
  void append_plain(std::string_view text, std::vector<Token>& out) const;
  /// Text where the names of `finder` become their tokens.
  void append_named(std::string_view text, const NameFinder& finder, std::vector<Token>& out) const;
  /// Whether an added token could lie across byte `at`, or NFC join what is on its two sides.
  bool joined_at(std::string_view text, std::size_t at) const;

  BpeVocabulary vocabulary_;
  std::unique_ptr<SplitPattern> split_;
  std::unique_ptr<BpeEncoder> encoder_;
  std::unique_ptr<NameFinder> special_names_;
  std::unique_ptr<NameFinder> text_names_;  // found in every text; null where there are none
};

/// A token's bytes as GPT-2 writes them in vocabulary files: printable Latin-1 for itself, the others from
/// U+0100 on.
std::string to_byte_level(std::string_view bytes);
/// The inverse; nothing where a character stands for no byte.
std::optional<std::string> from_byte_level(std::string_view characters);

/// GPT-2's order of single bytes: the printable ones first, then the others (256).
std::span<const unsigned char> byte_level_order();

}  // namespace vkgpt::text
