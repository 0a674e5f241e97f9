#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "vkgpt/core/file.hpp"

namespace vkgpt::text {

using Token = std::int32_t;

/// A file of a tokenizer directory.
struct TokenizerFile {
  std::string name;
  std::string contents;
};

inline constexpr const char* kTokenizerFile = "tokenizer.json";

/// Text to tokens and back. Safe from several threads.
class Tokenizer {
 public:
  virtual ~Tokenizer() = default;

  /// V: tokens are 0 to V - 1.
  virtual std::int64_t vocab_size() const = 0;

  /// Appends the tokens of `text` to `out`; the names of special tokens are plain text. Throws `Error` where
  /// the text holds something that the vocabulary cannot express.
  virtual void append_tokens(std::string_view text, std::vector<Token>& out) const = 0;
  std::vector<Token> encode(std::string_view text) const;

  /// The same, but the names of special tokens ("<|endoftext|>") become those tokens. For prompts; never for
  /// text of unknown origin.
  virtual std::vector<Token> encode_with_special(std::string_view text) const { return encode(text); }

  /// From now on `append_tokens` too finds the names of special tokens: for texts that are written with them,
  /// such as conversations.
  virtual void find_special_names() {}

  /// The bytes of the tokens, one after the other. They need not be whole characters: `StreamDecoder` is for
  /// showing them as they come. A token outside the vocabulary is a defect.
  virtual std::string decode(std::span<const Token> tokens) const = 0;

  /// The special token of this name, if there is one.
  virtual std::optional<Token> special_token(std::string_view) const { return std::nullopt; }
  /// The token that ends a document, if there is one.
  virtual std::optional<Token> end_of_text() const { return std::nullopt; }

  /// The end of the longest beginning of `text` that can be encoded on its own: its tokens, followed by those
  /// of the rest with whatever comes after, are those of the whole. 0 where nothing can be said yet.
  virtual std::size_t safe_prefix(std::string_view text) const = 0;

  /// `tokenizer.json` first, then the files that belong beside it; `load_tokenizer` and Hugging Face's
  /// AutoTokenizer read such a directory.
  virtual std::vector<TokenizerFile> files() const = 0;

  /// SHA-256 of `tokenizer.json`: token files record it.
  std::string fingerprint() const;
};

/// Reads a tokenizer from a directory (`tokenizer.json`, else `vocab.json` + `merges.txt`), a
/// `tokenizer.json` or a
/// `.tiktoken` file of ranks. Throws `Error`.
std::unique_ptr<Tokenizer> load_tokenizer(const Path& path);

/// A tokenizer that needs no text: "gpt2", "byte", or what `load_tokenizer` takes.
std::unique_ptr<Tokenizer> open_tokenizer(const std::string& name);

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
  std::string pending_;  // the beginning of a character
};

}  // namespace vkgpt::text
