#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "vkgpt/core/mapped_file.hpp"
#include "vkgpt/text/corpus/token_view.hpp"

namespace vkgpt::text {

/// A file of tokens, mapped into memory: llm.c's (256 32-bit words {20240520, 1, n}, then n 16-bit tokens, or
/// {20240801, 7, n} and 32-bit tokens) or nanoGPT's (16-bit tokens and nothing else), little-endian.
class TokenFile {
 public:
  /// Throws `Error` where the size does not match exactly and where the file is evidently something else.
  /// The tokens themselves are not looked at.
  explicit TokenFile(const Path& path);

  const Path& path() const { return file_.path(); }
  const TokenSpan& tokens() const { return tokens_; }
  std::size_t size() const { return token_count(tokens_); }
  std::uint64_t bytes() const { return file_.bytes().size(); }
  /// "llm.c uint16", "llm.c uint32" or "uint16 without a header".
  std::string_view format() const { return format_; }

 private:
  MappedFile file_;
  TokenSpan tokens_;
  std::string_view format_;
};

/// Bytes of a token in a file: 2 where a vocabulary of V fits, else 4.
int token_bytes(std::int64_t vocab_size);

/// A file of llm.c's format that is being written, as PATH.part until it is finished.
class TokenFileWriter {
 public:
  /// Goes on behind the first `tokens` tokens of PATH.part, which it must have; begins it where that is 0.
  TokenFileWriter(Path path, int token_bytes, std::uint64_t tokens = 0);
  TokenFileWriter(TokenFileWriter&& other) noexcept;
  TokenFileWriter& operator=(TokenFileWriter&&) = delete;
  ~TokenFileWriter();

  std::uint64_t size() const { return size_; }
  void append(std::span<const Token> tokens);
  /// Makes what was appended durable.
  void sync();
  /// Writes the header, makes all durable and gives the file its name. Its SHA-256.
  std::string finish();

 private:
  void write_at(std::uint64_t offset, std::span<const std::byte> bytes);

  Path path_;
  Path part_;
  int token_bytes_;
  std::uint64_t size_;  // tokens
  int fd_ = -1;
};

}  // namespace vkgpt::text
