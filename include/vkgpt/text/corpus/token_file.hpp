#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "vkgpt/core/file.hpp"
#include "vkgpt/text/tokenizer/tokenizer.hpp"

namespace vkgpt::text {

/// Which files are taken, for messages.
inline constexpr std::string_view kTokenFormats =
    "without a header a token is a uint16; 32-bit tokens need llm.c's header, 256 words that begin with "
    "20240801, 7 and the number of tokens";

/// A file of tokens, which stays on the disk: llm.c's (256 32-bit words {20240520, 1, n}, then n 16-bit
/// tokens, or {20240801, 7, n} and 32-bit tokens) or nanoGPT's (16-bit tokens and nothing else),
/// little-endian. It is read by system calls and not by a memory map, so that a file that is cut, or a disk
/// that fails, while training goes on is an error and no SIGBUS.
class TokenFile {
 public:
  /// Throws `Error` where the size does not match exactly and where the file is evidently something else,
  /// wider tokens without a header among it.
  /// The tokens themselves are not looked at.
  explicit TokenFile(const Path& path);

  const Path& path() const { return file_.path(); }
  /// Tokens, as of opening.
  std::size_t size() const { return size_; }
  std::uint64_t bytes() const { return file_.size(); }
  bool has_header() const { return begin_ > 0; }
  int token_bytes() const { return token_bytes_; }
  /// Reads tokens [first, first + out.size()); from several threads if need be. Throws `Error`.
  void read(std::size_t first, std::span<Token> out) const;
  /// The same as they lie in the file: whole tokens of `token_bytes`.
  void read_raw(std::size_t first, std::span<std::byte> out) const;
  /// "llm.c uint16", "llm.c uint32" or "uint16 without a header".
  std::string_view format() const { return format_; }

 private:
  /// What the header says; false where there is none.
  bool read_header(std::span<const std::byte> begin, const std::string& name);

  InputFile file_;
  std::uint64_t begin_ = 0;  // byte of the first token
  std::size_t size_ = 0;
  int token_bytes_ = 2;
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
