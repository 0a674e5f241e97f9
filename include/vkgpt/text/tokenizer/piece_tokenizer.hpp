#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "vkgpt/text/tokenizer/bpe_vocabulary.hpp"
#include "vkgpt/text/tokenizer/tokenizer.hpp"

namespace vkgpt::text {

class AddedTokens;
class PieceModel;

/// How tokens become text again.
struct PieceDecoder {
  std::vector<std::pair<std::string, std::string>> replacements;  ///< in each token, in order
  bool bytes = false;                                             ///< "<0x41>" is a byte
  std::string dropped_in_first;    ///< taken out of the first token of a text; may be empty
  std::string stripped;            ///< taken from the beginning of a text; may be empty
  std::size_t stripped_count = 0;  ///< at most so often
};

/// Tokenizers that were made with SentencePiece, as Hugging Face's `tokenizer.json` holds them: BPE on
/// characters and Unigram.
class PieceTokenizer final : public Tokenizer {
 public:
  /// `json`: the `tokenizer.json` that it was read from; `where` names it. A model that is not Unigram gets
  /// the merges of `vocabulary`. Throws `Error` where that contradicts itself.
  PieceTokenizer(BpeVocabulary vocabulary, std::unique_ptr<PieceModel> model, PieceDecoder decoder,
                 std::string json, const std::string& where);
  ~PieceTokenizer() override;

  /// Tokens, special ones and, of BPE, merges.
  const BpeVocabulary& vocabulary() const { return vocabulary_; }
  const PieceModel& model() const { return *model_; }

  std::string_view kind() const override { return "sentencepiece"; }
  std::int64_t vocab_size() const override { return static_cast<std::int64_t>(vocabulary_.tokens.size()); }
  void append_tokens(std::string_view text, std::vector<Token>& out) const override;
  void append_more(std::string_view text, std::vector<Token>& out) const override;
  std::vector<Token> encode_with_special(std::string_view text) const override;
  std::vector<Token> encode_partly_special(std::string_view text, const MayName& may_name) const override;
  void find_special_names() override;
  std::string decode(std::span<const Token> tokens) const override { return decoded(tokens, true); }
  std::string decode_more(std::span<const Token> tokens) const override { return decoded(tokens, false); }
  bool is_part(Token token) const override { return decoder_.bytes && byte_of(token).has_value(); }
  std::optional<Token> special_token(std::string_view name) const override;
  std::optional<Token> end_of_text() const override { return special_token(vocabulary_.end_of_text); }
  std::size_t safe_prefix(std::string_view text) const override;

 protected:
  std::string_view begin_name() const override { return vocabulary_.begin_of_text; }
  /// `tokenizer.json` as it was read, and `tokenizer_config.json`.
  std::vector<TokenizerFile> own_files() const override;

 private:
  std::string decoded(std::span<const Token> tokens, bool begins) const;
  std::optional<char> byte_of(Token token) const;
  void append_named(std::string_view text, const AddedTokens& added, std::vector<Token>& out,
                    const MayName& may_name = {}, bool continues = false) const;

  BpeVocabulary vocabulary_;
  std::unique_ptr<PieceModel> model_;
  PieceDecoder decoder_;
  std::string json_;
  std::unique_ptr<AddedTokens> special_names_;
  std::unique_ptr<AddedTokens> text_names_;
};

}  // namespace vkgpt::text
