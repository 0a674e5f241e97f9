#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "vkgpt/core/file.hpp"
#include "vkgpt/text/tokenizer/text_piece.hpp"

namespace vkgpt::text {

class Unpacker;

/// The paths that a glob matches, sorted; `pattern` itself where it is a path that exists or holds none of
/// *?[. Throws `Error` where nothing matches.
std::vector<Path> files_matching(const std::string& pattern);

struct TextSourceConfig {
  /// Files, directories (all .txt, .text, .md, .rst, .jsonl and .ndjson files below them, with .gz or .zst
  /// behind or not; hidden entries and links to directories are passed over), globs; "-" is standard input.
  std::vector<std::string> inputs;
  std::string text_field = "text";  ///< the string of a JSON Lines record that is its text
  std::string format = "auto";      ///< "text", "jsonl", or "auto": by the name, .jsonl, .ndjson, .json
  /// Ends a document inside plain text, such as "<|endoftext|>"; may be empty.
  std::string document_separator = {};
  bool skip_bad_lines = false;                     ///< pass over lines of JSON Lines that cannot be read
  std::size_t piece_bytes = std::size_t{1} << 20;  ///< a piece of plain text is about so long, at least 16
};

/// Where a text comes from.
struct TextInput {
  Path path;                           ///< "-" is standard input
  std::optional<std::uint64_t> bytes;  ///< of the text, unpacked; nothing for standard input
  bool json_lines = false;
  bool packed = false;    ///< by gzip or Zstandard
  std::uint64_t cut = 0;  ///< where plain text falls into two documents; 0: nowhere
};

/// Reads texts in order, in pieces of bounded size, so that a text may be larger than memory. A file of plain
/// text is one document unless a separator cuts it; of JSON Lines each line is one, and comes as one piece
/// (64 MiB at most). Documents without text are passed over. A file that gzip or Zstandard packed is read as
/// what is in it, and offsets mean that.
class TextSource {
 public:
  /// Finds the inputs, sorted by name inside directories and globs; packed ones are unpacked once for their
  /// length. Throws `Error` where there is nothing, something cannot be read, or is no text.
  explicit TextSource(TextSourceConfig config);
  TextSource(const TextSource&) = delete;
  TextSource& operator=(const TextSource&) = delete;
  ~TextSource();

  std::span<const TextInput> inputs() const { return inputs_; }
  /// Bytes of all inputs; nothing where one is standard input.
  std::optional<std::uint64_t> total_bytes() const;

  /// The largest offset up to `offset` (less than `bytes`) where a character of an input begins.
  std::uint64_t character_begin(std::size_t input, std::uint64_t offset) const;

  /// From now on plain text of this input is two documents, the second from `offset` on.
  void cut(std::size_t input, std::uint64_t offset) { inputs_[input].cut = offset; }

  /// The next piece; nothing at the end. Throws `Error`, with the line, for a text that cannot be read and
  /// for broken JSON Lines that are not passed over. A byte order mark at the beginning of an input is no
  /// text.
  std::optional<TextPiece> next();

  /// Lines that were passed over.
  std::uint64_t skipped_lines() const { return skipped_; }

  /// Goes on behind byte `offset` of an input, which must be a place between two characters or two lines.
  /// Standard input is read up to there: it must bring the same text again.
  void seek(std::size_t input, std::uint64_t offset);

 private:
  std::optional<TextPiece> next_text();
  std::optional<TextPiece> next_line();
  /// The text of a line; nothing for one that is passed over.
  std::string line_text(std::string_view line);
  /// Takes a line that is too long; throws `Error` where such lines may not be passed over.
  void pass_long_line();
  /// Has `wanted` bytes waiting in the buffer, or all that are left.
  void fill(std::size_t wanted);
  std::size_t read_some(std::span<char> out);
  void skip(std::uint64_t offset);
  void open(std::size_t input, std::uint64_t offset);
  std::string_view waiting() const { return std::string_view(buffer_).substr(begin_); }
  void take(std::size_t count);
  TextPiece piece(std::string text, bool ends_document) const;
  /// The input that is being read, for messages.
  std::string name() const;
  /// "FILE:LINE" of the next byte to be taken.
  std::string place();

  TextSourceConfig config_;
  std::vector<TextInput> inputs_;
  std::size_t input_ = 0;               // that is being read
  std::optional<InputFile> file_;       // where it is a plain file
  std::unique_ptr<Unpacker> unpacker_;  // where it is a packed one
  bool at_end_ = false;                 // of the input; the buffer may still hold something
  std::string buffer_;
  std::size_t begin_ = 0;        // bytes of the buffer that were taken
  std::uint64_t offset_ = 0;     // of buffer_[begin_] in the input
  std::uint64_t line_ = 0;       // lines that end before `offset_`, but for those of
  std::uint64_t uncounted_ = 0;  // the first bytes of a plain file, which a seek passed over
  std::uint64_t skipped_ = 0;
};

}  // namespace vkgpt::text
