#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "vkgpt/core/file.hpp"

namespace vkgpt::text {

using Token = std::int32_t;

/// Text to tokens and back.
class Tokenizer {
 public:
  virtual ~Tokenizer() = default;

  /// V: tokens are 0 to V - 1.
  virtual std::int64_t vocab_size() const = 0;

  /// Throws `Error` where the text holds something that the vocabulary cannot express.
  virtual std::vector<Token> encode(std::string_view text) const = 0;

  /// The bytes of the tokens, one after the other. They need not be whole characters: `StreamDecoder` is for
  /// showing them as they come. A token outside the vocabulary is a defect.
  virtual std::string decode(std::span<const Token> tokens) const = 0;

  /// Contents of the `tokenizer.json` that `load_tokenizer` reads.
  virtual std::string to_json() const = 0;
};

inline constexpr const char* kTokenizerFile = "tokenizer.json";

/// Reads the `tokenizer.json` in `directory`.
std::unique_ptr<Tokenizer> load_tokenizer(const Path& directory);

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
