#pragma once

#include <bitset>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "vkgpt/text/tokenizer/bpe_vocabulary.hpp"
#include "vkgpt/text/tokenizer/split_pattern.hpp"

#include "text/tokenizer/first_tokens.hpp"
#include "text/tokenizer/word_cache.hpp"

namespace vkgpt::text {

/// Merges of pairs by hashing.
class PairTable {
 public:
  struct Entry {
    std::uint64_t pair = kNone;
    std::uint32_t rank = kNoRank;
    Token merged = -1;
  };
  static constexpr std::uint32_t kNoRank = UINT32_MAX;

  /// Merges have their index for a rank. Throws `Error` for a pair that appears twice.
  PairTable(const std::vector<BpeVocabulary::Merge>& merges, const std::string& where);

  /// The merge of two neighbours; rank `kNoRank` where there is none.
  const Entry& find(Token left, Token right) const {
    const std::uint64_t pair = key(left, right);
    for (std::size_t at = slot(pair);; at = (at + 1) & mask_) {
      const Entry& entry = entries_[at];
      if (entry.pair == pair || entry.pair == kNone) return entry;
    }
  }

 private:
  static constexpr std::uint64_t kNone = UINT64_MAX;

  static std::uint64_t key(Token left, Token right) {
    return std::uint64_t{static_cast<std::uint32_t>(left)} << 32U | static_cast<std::uint32_t>(right);
  }
  std::size_t slot(std::uint64_t pair) const { return (pair * 0x9e3779b97f4a7c15U >> 32U) & mask_; }

  std::size_t mask_ = 0;
  std::vector<Entry> entries_;
};

/// Applies merges to words. Safe from several threads: each call borrows its scratch memory, with the cache
/// of words, from a pool.
class BpeEncoder {
 public:
  /// `vocabulary` must outlive the encoder. Throws `Error`, naming `where`, for a vocabulary that contradicts
  /// itself.
  BpeEncoder(const BpeVocabulary& vocabulary, const std::string& where);
  ~BpeEncoder();

  /// Appends the tokens of `text`, cut into words by `split`.
  void append_words(std::string_view text, const SplitPattern& split, std::vector<Token>& out) const;
  /// Appends the tokens of `text` as one word. It is cut where no merge could join its characters.
  void append_word(std::string_view text, std::vector<Token>& out) const;

  /// Whether a merge could join the characters on the two sides of byte `at` (words of characters).
  bool may_join(std::string_view text, std::size_t at) const { return first_.may_join(text, at); }
  /// Whether each byte becomes one token before merges.
  bool has_all_bytes() const { return first_.one_for_each_byte(); }

 private:
  struct Scratch;
  class Borrowed;

  static std::unordered_map<std::string_view, Token> index_tokens(const BpeVocabulary& vocabulary,
                                                                  const std::string& where);
  void append_cached(std::string_view text, std::size_t begin, std::size_t end, Scratch& scratch,
                     std::vector<Token>& out) const;
  void check_merges(const std::string& where) const;

  void append_uncached(std::string_view word, Scratch& scratch, std::vector<Token>& out) const;
  void append_long(std::string_view word, Scratch& scratch, std::vector<Token>& out) const;
  void merge_short(std::string_view word, std::vector<Token>& out) const;
  void merge_long(std::string_view word, Scratch& scratch, std::vector<Token>& out) const;
  void queue_pair(Scratch& scratch, std::int32_t at) const;
  bool apply_merge(Scratch& scratch, std::uint32_t rank) const;

  const BpeVocabulary& vocabulary_;
  std::unordered_map<std::string_view, Token> token_of_;  // of bytes; empty unless merges are ignored
  FirstTokens first_;
  std::bitset<1 << 16> neighbours_;  // two bytes that follow each other in some token
  PairTable pairs_;

  mutable std::mutex mutex_;
  mutable std::vector<std::unique_ptr<Scratch>> idle_;
};

}  // namespace vkgpt::text
