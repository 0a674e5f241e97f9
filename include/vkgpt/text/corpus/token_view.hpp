#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <variant>

#include "vkgpt/text/corpus/token_file.hpp"
#include "vkgpt/text/tokenizer/tokenizer.hpp"

namespace vkgpt::text {

/// Tokens as they lie in memory.
using TokenSpan = std::variant<std::span<const std::uint16_t>, std::span<const Token>>;

/// A part of a long sequence of tokens: those of a file, or some of them.
struct TokenPiece {
  const TokenFile* file = nullptr;
  std::size_t first = 0;     ///< of the piece's tokens in the file
  std::size_t count = 0;     ///< tokens
  std::size_t position = 0;  ///< of the piece's first token in the sequence
};

/// All of a file.
TokenPiece whole(const TokenFile& file);

/// A sequence of tokens that somebody else owns: in memory, in 16 or 32 bits, or in files.
class TokenView {
 public:
  TokenView() = default;
  TokenView(std::span<const std::uint16_t> tokens) : TokenView(TokenSpan(tokens)) {}  // NOLINT: implicit
  TokenView(std::span<const Token> tokens) : TokenView(TokenSpan(tokens)) {}          // NOLINT
  /// The pieces one after the other, in ascending position. A set of many files is not read in advance:
  /// `copy` refuses tokens that are not below `vocab_size` when it meets them, unless that is 0.
  TokenView(std::span<const TokenPiece> pieces, std::int64_t vocab_size);

  std::size_t size() const { return size_; }
  TokenView subview(std::size_t offset, std::size_t count) const;
  /// Copies tokens [offset, offset + out.size()). Throws `Error`, naming file and position, for a token that
  /// is not in the vocabulary.
  void copy(std::size_t offset, std::span<Token> out) const;

 private:
  explicit TokenView(const TokenSpan& tokens);

  TokenSpan in_memory_;  // where there are no pieces
  std::span<const TokenPiece> pieces_;
  std::size_t offset_ = 0;
  std::size_t size_ = 0;
  std::int64_t vocab_size_ = 0;
};

}  // namespace vkgpt::text
