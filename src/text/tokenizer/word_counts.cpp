#include "vkgpt/text/tokenizer/word_counts.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <exception>
#include <mutex>
#include <string>
#include <thread>
#include <utility>

#include "vkgpt/core/check.hpp"

namespace vkgpt::text {
namespace {

constexpr std::uint32_t kEmpty = UINT32_MAX;
constexpr std::size_t kChunkBytes = std::size_t{256} << 10;  // what a thread takes at once
constexpr std::size_t kLocalWords = std::size_t{1} << 15;    // a thread's own table before it is poured out
constexpr std::size_t kLocalBytes = std::size_t{1} << 20;
constexpr std::size_t kShards = 64;
constexpr std::size_t kBlockBytes = std::size_t{32} << 10;

std::uint64_t load_bytes(const char* bytes, std::size_t size) {
  std::uint64_t value = 0;
  std::memcpy(&value, bytes, size);
  return value;
}

/// Cuts documents into stretches that can be split into words independently.
class ChunkReader {
 public:
  ChunkReader(const NextPiece& next, const SplitPattern& split) : next_(next), split_(split) {}

  /// Nothing at the end of the text.
  std::optional<std::string> next() {
    while (at_ == buffer_.size() && ends_document_) {
      if (!read_piece()) return std::nullopt;
    }
    // Growing by factors keeps the search for a cut linear in a text that has none.
    for (std::size_t size = kChunkBytes;; size *= 2) {
      while (buffer_.size() - at_ <= size && !ends_document_) read_piece();
      const std::string_view rest = std::string_view(buffer_).substr(at_);
      if (rest.size() <= size) return take(rest.size());
      const std::size_t cut = split_.safe_prefix(rest.substr(0, size));
      if (cut > 0 || size >= kMaxWordBytes) return take(cut > 0 ? cut : size);
    }
  }

  std::uint64_t bytes() const { return bytes_; }

 private:
  std::string take(std::size_t size) {
    std::string chunk = buffer_.substr(at_, size);
    at_ += size;
    bytes_ += size;
    return chunk;
  }

  /// Appends to what is left of the document. At the end of the text that is the end of the document too.
  bool read_piece() {
    std::optional<TextPiece> piece = next_();
    buffer_.erase(0, at_);
    at_ = 0;
    if (piece) buffer_ += piece->text;
    ends_document_ = !piece || piece->ends_document;
    return piece.has_value();
  }

  const NextPiece& next_;
  const SplitPattern& split_;
  std::string buffer_;  // of one document, from the last cut on
  std::size_t at_ = 0;
  bool ends_document_ = true;
  std::uint64_t bytes_ = 0;
};

/// The tables that all threads pour their words into.
class SharedTables {
 public:
  void add(const WordTable& words) {
    for (std::size_t i = 0; i < words.size(); ++i) {
      const WordTable::Word word = words.word(i);
      const std::uint64_t hash = WordTable::hash(word.bytes);
      const std::size_t shard = hash >> 58;
      const std::lock_guard lock(mutexes_[shard]);
      tables_[shard].add(word.bytes, hash, word.count);
    }
  }

  std::vector<WordTable> take() { return std::move(tables_); }

 private:
  std::array<std::mutex, kShards> mutexes_;
  std::vector<WordTable> tables_{kShards};
};

void add_words(std::string_view text, const SplitPattern& split, WordTable& words) {
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = split.next(text, at);
    VKGPT_CHECK(end > at && end <= text.size(), "a word from {} to {} of {}", at, end, text.size());
    const std::string_view word = text.substr(at, end - at);
    words.add(word, WordTable::hash(word), 1);
    at = end;
  }
}

}  // namespace

WordTable::WordTable() : slots_(64, kEmpty) {}

std::uint64_t WordTable::hash(std::string_view word) {
  constexpr std::uint64_t kFactor = 0x9e3779b97f4a7c15;
  std::uint64_t hash = word.size() * kFactor;
  const auto mix = [&](std::uint64_t value) {
    hash = (hash ^ value) * kFactor;
    hash ^= hash >> 32;
  };
  std::size_t at = 0;
  for (; at + 8 <= word.size(); at += 8) mix(load_bytes(word.data() + at, 8));
  if (at < word.size()) mix(load_bytes(word.data() + at, word.size() - at));
  return hash * kFactor;
}

void WordTable::add(std::string_view word, std::uint64_t hash, std::uint64_t count) {
  // The shards of SharedTables are chosen by the high bits, so those say nothing here.
  const auto tag = static_cast<std::uint32_t>(hash >> 16);
  const std::size_t mask = slots_.size() - 1;
  for (std::size_t slot = tag & mask;; slot = (slot + 1) & mask) {
    const std::uint32_t index = slots_[slot];
    if (index == kEmpty) {
      VKGPT_CHECK(word.size() < UINT32_MAX && entries_.size() < kEmpty, "{} words", entries_.size());
      slots_[slot] = static_cast<std::uint32_t>(entries_.size());
      entries_.push_back({.bytes = store(word),
                          .count = count,
                          .length = static_cast<std::uint32_t>(word.size()),
                          .tag = tag});
      if (entries_.size() * 4 > slots_.size() * 3) grow();
      return;
    }
    Entry& entry = entries_[index];
    if (entry.tag == tag && entry.length == word.size() &&
        std::memcmp(entry.bytes, word.data(), word.size()) == 0) {
      entry.count += count;
      return;
    }
  }
}

const char* WordTable::store(std::string_view word) {
  if (word.size() > block_left_) {
    block_left_ = std::max(kBlockBytes, word.size());
    blocks_.push_back(std::make_unique_for_overwrite<char[]>(block_left_));
    block_end_ = blocks_.back().get() + block_left_;
  }
  char* const stored = block_end_ - block_left_;
  std::memcpy(stored, word.data(), word.size());
  block_left_ -= word.size();
  text_size_ += word.size();
  return stored;
}

void WordTable::grow() {
  slots_.assign(slots_.size() * 2, kEmpty);
  const std::size_t mask = slots_.size() - 1;
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    std::size_t slot = entries_[i].tag & mask;
    while (slots_[slot] != kEmpty) slot = (slot + 1) & mask;
    slots_[slot] = static_cast<std::uint32_t>(i);
  }
}

WordTable::Word WordTable::word(std::size_t i) const {
  const Entry& entry = entries_[i];
  return {.bytes = {entry.bytes, entry.length}, .count = entry.count};
}

std::optional<std::vector<WordTable>> count_words(const NextPiece& next, const SplitPattern& split,
                                                  std::size_t threads,
                                                  const std::function<bool(std::uint64_t)>& go_on) {
  ChunkReader reader(next, split);
  SharedTables shared;
  std::mutex mutex;  // of everything below and of `reader`
  bool stopped = false;
  std::exception_ptr error;

  const auto take_chunk = [&]() -> std::optional<std::string> {
    const std::lock_guard lock(mutex);
    if (!stopped) stopped = !go_on(reader.bytes());
    return stopped || error != nullptr ? std::nullopt : reader.next();
  };
  const auto work = [&] {
    try {
      WordTable words;
      while (const std::optional<std::string> chunk = take_chunk()) {
        add_words(*chunk, split, words);
        if (words.size() < kLocalWords && words.text_size() < kLocalBytes) continue;
        shared.add(words);
        words = WordTable();
      }
      shared.add(words);
    } catch (...) {
      const std::lock_guard lock(mutex);
      if (error == nullptr) error = std::current_exception();
    }
  };
  {
    std::vector<std::jthread> others;
    for (std::size_t i = 1; i < threads; ++i) others.emplace_back(work);
    work();
  }
  if (error != nullptr) std::rethrow_exception(error);
  if (stopped) return std::nullopt;
  return shared.take();
}

}  // namespace vkgpt::text
