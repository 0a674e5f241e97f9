#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "vkgpt/core/file.hpp"
#include "vkgpt/text/corpus/documents.hpp"
#include "vkgpt/text/corpus/token_file.hpp"
#include "vkgpt/text/corpus/token_view.hpp"
#include "vkgpt/text/tokenizer/tokenizer.hpp"

namespace vkgpt::text {

/// The bytes of a text file, those that gzip or Zstandard packed where it is such a one. Throws `Error` for
/// more than `max_bytes` and for a file of a known other kind (Parquet, UTF-16, ...).
std::string read_bytes(const Path& path, std::uint64_t max_bytes);

/// The text of a file, packed or not; of JSON Lines its records. Throws `Error` (exit 1) where it is missing,
/// a directory, unreadable, empty or not UTF-8, and a usage error where `path` itself is empty.
std::string read_text(const Path& path);

/// The beginning of a text for training and its end for validation.
struct TextSplit {
  std::string_view train;
  std::string_view validation;
};

/// Cuts after (1 - val_fraction) of the bytes, moved back to the beginning of a character. The parts view
/// `text`.
TextSplit split_text(std::string_view text, double val_fraction);

/// The tokens of documents, one after the other.
struct TokenizedDocuments {
  std::vector<Token> tokens;
  Documents documents;
};

/// Tokens to train on and to validate with: of a text, in memory, or of files that stay on the disk.
class Corpus {
 public:
  /// Encodes both parts of a text, on all processors; 16 bits a token where the vocabulary allows.
  static Corpus encode(std::string_view text, const Tokenizer& tokenizer, double val_fraction,
                       const std::string& where);

  /// What `vkgpt data prepare` made. Throws `Error` where the shards do not match the manifest, and where
  /// they were made with another tokenizer.
  static Corpus open_dataset(const Path& directory, const Tokenizer& tokenizer);

  /// Other programs' token files: one, a directory's .bin files, or a glob. Files with "val" in their names
  /// are for validation, "test" for neither; without any, the last val_fraction of the tokens is. Throws
  /// `Error`; tokens beyond the vocabulary are looked for at both ends of a file here, elsewhere when they
  /// are read.
  static Corpus open_shards(const std::string& pattern, std::int64_t vocab_size, double val_fraction);

  /// Documents for training and for validation.
  static Corpus of_documents(std::array<TokenizedDocuments, 2> splits, std::int64_t vocab_size);

  TokenView train() const { return view(parts_[0]); }
  TokenView validation() const { return view(parts_[1]); }  ///< may be empty

  /// What is known of the documents of a split, 0 or 1; nothing but of conversations and after
  /// `find_documents`.
  const Documents& documents(std::size_t split) const { return parts_[split].documents; }
  /// Whether it tells what assistants say.
  bool has_replies() const { return !parts_[0].documents.counted.empty(); }
  /// Reads all tokens, and takes each `end` for the last of a document.
  void find_documents(Token end);

  /// SHA-256 in hexadecimal that tells one text or set of shards from another, however it is split: of the
  /// text, of a data set's checksums, or of the sizes and both ends of other programs' token files.
  const std::string& fingerprint() const { return fingerprint_; }

  /// Throws `Error` where a part has fewer than block_size + 1 tokens, the least that a crop with its targets
  /// needs; `where` names the text in the message. Validation may be missing altogether.
  void check_length(std::int64_t block_size, const std::string& where) const;

 private:
  struct Part {
    std::vector<std::uint16_t> narrow;
    std::vector<Token> wide;
    std::vector<TokenPiece> pieces;  // of `files_`
    Documents documents;
  };

  TokenView view(const Part& part) const;
  void encode_part(std::string_view text, const Tokenizer& tokenizer, Part& part, const std::string& where);
  /// Appends tokens [begin, end) of a file.
  void add_piece(Part& part, const TokenFile& file, std::size_t begin, std::size_t end) const;

  std::array<Part, 2> parts_;
  std::deque<TokenFile> files_;  // where they are, their pieces point
  std::int64_t vocab_size_ = 0;
  std::string fingerprint_;
};

}  // namespace vkgpt::text
