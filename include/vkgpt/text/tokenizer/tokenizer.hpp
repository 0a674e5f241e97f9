#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "vkgpt/model/token_ids.hpp"
#include "vkgpt/text/tokenizer/token.hpp"

namespace vkgpt::text {

/// A file of a tokenizer directory.
struct TokenizerFile {
  std::string name;
  std::string contents;
};

inline constexpr const char* kTokenizerFile = "tokenizer.json";

/// What the files of a tokenizer say of texts as a whole.
struct TextRules {
  std::vector<Token> before;  ///< put before a prompt: a post-processor's
  std::vector<Token> after;   ///< put after it
  model::TokenIds ids;        ///< of the files beside the vocabulary
  std::string chat_template;  ///< Jinja; may be empty
  std::vector<std::pair<std::string, std::string>> other_chat_templates = {};  ///< by name: "tool_use"
  std::vector<std::pair<std::string, std::string>> named_tokens = {};          ///< "bos_token": "<s>"
  std::vector<TokenizerFile> files;  ///< handed on as they were read
};

/// Whether bytes `begin` to `end` of a text may name a special token.
using MayName = std::function<bool(std::size_t begin, std::size_t end)>;

/// Text to tokens and back. Safe from several threads.
class Tokenizer {
 public:
  virtual ~Tokenizer() = default;

  /// "bpe", "char" or "sentencepiece".
  virtual std::string_view kind() const { return "char"; }

  /// V: tokens are 0 to V - 1.
  virtual std::int64_t vocab_size() const = 0;

  /// Appends the tokens of `text` to `out`; the names of special tokens are plain text. Throws `Error` where
  /// the text holds something that the vocabulary cannot express.
  virtual void append_tokens(std::string_view text, std::vector<Token>& out) const = 0;
  std::vector<Token> encode(std::string_view text) const;
  /// The same for what follows a `safe_prefix`: SentencePiece puts a space before the beginning of a text
  /// only.
  virtual void append_more(std::string_view text, std::vector<Token>& out) const { append_tokens(text, out); }

  /// As `encode`, but the names of special tokens ("<|endoftext|>") become those tokens. For prompts; never
  /// for text of unknown origin.
  virtual std::vector<Token> encode_with_special(std::string_view text) const { return encode(text); }

  /// The same for a text that is partly of unknown origin: a name counts where `may_name` allows it.
  virtual std::vector<Token> encode_partly_special(std::string_view text, const MayName&) const {
    return encode(text);
  }

  /// From now on `append_tokens` too finds the names of special tokens: for texts that are written with them,
  /// such as conversations.
  virtual void find_special_names() {}

  /// The tokens of a prompt: `encode_with_special` of it between those that the rules put around a text.
  std::vector<Token> encode_prompt(std::string_view text) const;

  /// The bytes of the tokens, one after the other. They need not be whole characters: `StreamDecoder` is for
  /// showing them as they come. A token outside the vocabulary is a defect.
  virtual std::string decode(std::span<const Token> tokens) const = 0;
  /// The same of tokens that follow others: SentencePiece drops a space at the beginning of a text only.
  virtual std::string decode_more(std::span<const Token> tokens) const { return decode(tokens); }
  /// Whether what `token` stands for depends on the tokens after it: a byte of SentencePiece's.
  virtual bool is_part(Token) const { return false; }

  /// The special token of this name, if there is one.
  virtual std::optional<Token> special_token(std::string_view) const { return std::nullopt; }
  /// The token that ends a document, if there is one.
  virtual std::optional<Token> end_of_text() const { return std::nullopt; }
  /// The token that begins a text, if the tokenizer names one.
  std::optional<Token> begin_of_text() const { return special_token(begin_name()); }
  /// Whether `token` ends a text that is generated: `end_of_text`, and every end that the rules name.
  bool ends_text(Token token) const;
  /// The tokens that a model's configuration names: those of the rules, else the tokenizer's own; a text
  /// without a beginning of its own begins with what ends it.
  model::TokenIds token_ids() const;

  const TextRules& rules() const { return rules_; }
  void set_rules(TextRules rules) { rules_ = std::move(rules); }

  /// The end of a long beginning of `text` that can be encoded on its own: its tokens, followed by those that
  /// `append_more` gives of the rest with whatever comes after, are those of the whole. 0 where nothing can
  /// be said yet.
  virtual std::size_t safe_prefix(std::string_view text) const = 0;

  /// `tokenizer.json` first, then the files that belong beside it; `load_tokenizer` and Hugging Face's
  /// AutoTokenizer read such a directory. Files that were read are handed on byte for byte.
  std::vector<TokenizerFile> files() const;

  /// SHA-256 of `tokenizer.json` as this program writes it: token files record it.
  std::string fingerprint() const;

 protected:
  /// The name of the token that begins a text; may be empty.
  virtual std::string_view begin_name() const { return {}; }
  /// The same files as this program writes them, `tokenizer.json` first.
  virtual std::vector<TokenizerFile> own_files() const = 0;

 private:
  TextRules rules_;
};

/// Decodes token by token and hands out whole characters only, so that a terminal never sees half of one.
class StreamDecoder {
 public:
  /// `tokenizer` must outlive the decoder.
  explicit StreamDecoder(const Tokenizer& tokenizer) : tokenizer_(&tokenizer) {}

  /// What `token` completes; may be empty. Invalid bytes come out as U+FFFD.
  std::string push(Token token);
  /// What is left at the end.
  std::string finish();

 private:
  const Tokenizer* tokenizer_;
  std::vector<Token> parts_;  // whose text depends on what comes next
  std::string pending_;       // the beginning of a character
};

}  // namespace vkgpt::text
