#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <queue>
#include <span>
#include <vector>

#include "vkgpt/text/tokenizer/tokenizer.hpp"
#include "vkgpt/text/tokenizer/word_counts.hpp"

namespace vkgpt::text {

/// The pairs of neighbouring tokens in words, kept up to date while pairs are merged. A merge costs time in
/// proportion to the occurrences of its pair in the different words.
///
/// All words lie in one array of a slot per byte. A token takes as many slots as it has bytes; its number
/// stands in the first and in the last of them, so that both neighbours are found at once.
class PairCounts {
 public:
  struct Pair {
    Token left = 0;
    Token right = 0;
    std::uint64_t count = 0;
  };

  /// Takes `tables`, emptying them. `byte_tokens`: the token of each byte. Pairs counted less than
  /// `min_count` times are forgotten: a count never grows.
  PairCounts(std::vector<WordTable> tables, std::span<const Token, 256> byte_tokens, std::uint64_t min_count);

  /// Removes the pair with the highest count, of equals the one with the lower `left`, then `right`; nothing
  /// where none is left. What is not merged then stays apart.
  std::optional<Pair> take_strongest();
  /// Puts `merged`, a new token higher than all others, wherever the pair taken last stands: left to right.
  void merge(Token merged);

 private:
  static constexpr std::uint32_t kNone = UINT32_MAX;

  /// Occurrences of a pair: their first slots, ascending, and some that have become something else since.
  struct Occurrences {
    std::uint64_t count = 0;
    std::vector<std::uint32_t> at;
  };
  /// Where a pair's occurrences are in `occurrences_`, by open addressing.
  class Map {
   public:
    Map();
    void insert(std::uint64_t key, std::uint32_t value);  // a new one
    std::uint32_t find(std::uint64_t key) const;          // kNone where it is not
    void erase(std::uint64_t key);

   private:
    struct Slot {
      std::uint64_t key = 0;
      std::uint32_t value = kNone;
    };
    std::size_t home(std::uint64_t key) const;
    std::size_t slot_of(std::uint64_t key) const;

    std::vector<Slot> slots_;  // a power of two
    std::size_t size_ = 0;
  };
  /// Words of the same count lie together.
  struct CountGroup {
    std::uint32_t end = 0;  // slot
    std::uint64_t count = 0;
  };
  struct Candidate {
    std::uint64_t count = 0;
    std::uint64_t key = 0;

    /// Whether it comes later.
    friend bool operator<(const Candidate& a, const Candidate& b) {
      return a.count != b.count ? a.count < b.count : a.key > b.key;
    }
  };
  /// What a merge meets on one side of it, by token.
  struct Neighbour {
    std::uint64_t count = 0;
    std::uint32_t occurrences = 0;
    std::uint32_t kept = kNone;  // in `occurrences_`
  };
  struct Side {
    std::vector<Neighbour> by_token;
    std::vector<std::uint32_t> met;

    void meet(std::uint32_t token, std::uint64_t count);
    void clear();
  };

  void place_words(std::vector<WordTable> tables, std::span<const Token, 256> byte_tokens);
  void count_bytes(std::uint32_t first_byte);

  void replace_taken(std::uint32_t merged);
  void list_new(std::uint32_t merged);
  /// Lowers the count of a pair.
  void forget(std::uint64_t key, std::uint64_t count);
  /// Gives a pair room for so many occurrences; kNone where it is too rare.
  std::uint32_t keep(std::uint64_t key, std::uint64_t count, std::uint32_t occurrences);
  void release(std::uint64_t key, std::uint32_t index);

  std::uint64_t min_count_;
  std::vector<std::uint32_t> slots_;    // tokens; kBoundary before, between and behind words
  std::vector<std::uint32_t> lengths_;  // by token
  std::vector<CountGroup> groups_;
  Map pairs_;
  std::vector<Occurrences> occurrences_;
  std::vector<std::uint32_t> free_;  // of them
  std::priority_queue<Candidate> candidates_;

  std::uint32_t left_ = 0;  // the pair taken last
  std::uint32_t right_ = 0;
  std::vector<std::uint32_t> taken_;  // its occurrences
  Side before_;
  Side after_;
};

}  // namespace vkgpt::text
