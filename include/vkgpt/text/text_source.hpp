#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "vkgpt/core/file.hpp"

namespace vkgpt::text {

struct TextSourceConfig {
  std::vector<std::string>
      inputs;  ///< files, directories (all text below them), globs; "-" is standard input
  std::string text_field = "text";  ///< of a JSON Lines file (".jsonl", ".ndjson"), whose lines are documents
  std::size_t piece_bytes = std::size_t{4} << 20;  ///< a piece is at most about so long
};

/// A stretch of a document.
struct TextPiece {
  std::string text;
  bool ends_document = false;
  std::size_t input = 0;     ///< which of `paths()`
  std::uint64_t offset = 0;  ///< bytes of that input that lie before the end of this piece
};

/// Reads texts in order, in pieces of bounded size, so that a text may be larger than memory. Each file is a
/// document; in JSON Lines each line is.
class TextSource {
 public:
  /// Finds the inputs, sorted by name inside directories and globs. Throws `Error` where there is nothing or
  /// something cannot be read.
  explicit TextSource(TextSourceConfig config);

  const std::vector<Path>& paths() const;
  /// Bytes of all inputs; nothing where one is standard input.
  std::optional<std::uint64_t> total_bytes() const;

  /// The next piece; nothing at the end. Throws `Error` for a text that cannot be read and for broken JSON
  /// Lines.
  std::optional<TextPiece> next();
  /// Goes on after a piece that ended a document or not: `input` and `offset` are what it said.
  void seek(std::size_t input, std::uint64_t offset);
};

}  // namespace vkgpt::text
