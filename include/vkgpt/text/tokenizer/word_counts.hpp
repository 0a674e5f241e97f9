#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "vkgpt/text/tokenizer/split_pattern.hpp"
#include "vkgpt/text/tokenizer/text_piece.hpp"

namespace vkgpt::text {

/// Different words, each with the number of its occurrences.
class WordTable {
 public:
  struct Word {
    std::string_view bytes;  // in the table; stays where it is
    std::uint64_t count = 0;
  };

  WordTable();

  static std::uint64_t hash(std::string_view word);

  /// Counts `word` (of this hash) `count` times more. It is below 4 GiB; there are below 2^32 words.
  void add(std::string_view word, std::uint64_t hash, std::uint64_t count);

  std::size_t size() const { return entries_.size(); }
  /// Bytes of all words.
  std::size_t text_size() const { return text_size_; }
  /// Words in the order of their first occurrence.
  Word word(std::size_t i) const;

 private:
  struct Entry {
    const char* bytes = nullptr;
    std::uint64_t count = 0;
    std::uint32_t length = 0;
    std::uint32_t tag = 0;  // bits of the hash
  };

  const char* store(std::string_view word);
  void grow();

  std::deque<Entry> entries_;
  std::vector<std::unique_ptr<char[]>> blocks_;  // the words' bytes; nothing moves, so growing wastes nothing
  char* block_end_ = nullptr;
  std::size_t block_left_ = 0;
  std::size_t text_size_ = 0;
  std::vector<std::uint32_t> slots_;  // index into `entries_`, kEmpty where free; a power of two
};

using NextPiece = std::function<std::optional<TextPiece>()>;

/// The longest stretch of text without a place to cut that is kept together; a longer word is cut here, so
/// that memory stays bounded.
inline constexpr std::size_t kMaxWordBytes = std::size_t{16} << 20;

/// Counts the words of the text that `next` gives until it gives nothing, on `threads` threads. `next` and
/// `go_on` are called by one of them at a time; `go_on` gets the bytes read so far, and where it gives false
/// the result is nothing. The tables share no word; which table a word is in and where says nothing.
std::optional<std::vector<WordTable>> count_words(const NextPiece& next, const SplitPattern& split,
                                                  std::size_t threads,
                                                  const std::function<bool(std::uint64_t)>& go_on);

}  // namespace vkgpt::text
