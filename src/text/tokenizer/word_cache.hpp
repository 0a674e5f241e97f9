#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <vector>

#include "vkgpt/text/tokenizer/token.hpp"

namespace vkgpt::text {

/// Tokens of words that were seen lately: fixed memory, and each word has one place where it may be.
class WordCache {
 public:
  static constexpr std::size_t kMaxBytes = 31;
  static constexpr std::size_t kMaxTokens = 7;

  /// A word of 1 to `kMaxBytes` bytes, padded with zeros, with its length in the last byte.
  struct Key {
    std::array<std::uint64_t, 4> words{};

    friend bool operator==(const Key&, const Key&) = default;
  };
  struct Entry {
    Key key;
    std::array<Token, kMaxTokens> tokens{};
    std::uint32_t count = 0;
  };
  static_assert(sizeof(Entry) == 64);  // one cache line

  WordCache() : entries_(std::size_t{1} << kBits) {}

  /// The key of `text.substr(at, length)`.
  static Key key_of(std::string_view text, std::size_t at, std::size_t length) {
    Key key;
    if (text.size() - at >= sizeof(Key)) {
      std::memcpy(key.words.data(), text.data() + at, sizeof(Key));
      for (std::size_t i = 0; i < key.words.size(); ++i) key.words[i] &= kMasks[length][i];
    } else {
      std::memcpy(key.words.data(), text.data() + at, length);
    }
    key.words[3] |= std::uint64_t{length} << 56U;
    return key;
  }

  /// Where `key` is, or would be.
  Entry& entry(const Key& key) {
    const auto& w = key.words;
    std::uint64_t hash = w[0] * 0x9e3779b97f4a7c15U ^ w[1] * 0xc2b2ae3d27d4eb4fU;
    hash ^= (w[2] ^ w[3] >> 7U) * 0x165667b19e3779f9U;
    hash ^= hash >> 32U;
    return entries_[hash * 0xd6e8feb86659fd93U >> (64 - kBits)];
  }

  /// Keeps the tokens of a word where they fit.
  static void store(Entry& entry, const Key& key, std::span<const Token> tokens) {
    if (tokens.size() > kMaxTokens) return;
    entry.key = key;
    entry.count = static_cast<std::uint32_t>(tokens.size());
    std::copy(tokens.begin(), tokens.end(), entry.tokens.begin());
  }

 private:
  static constexpr unsigned kBits = 16;

  /// Keeps the first bytes of little-endian words.
  static constexpr auto kMasks = [] {
    std::array<std::array<std::uint64_t, 4>, kMaxBytes + 1> masks{};
    for (std::size_t length = 0; length <= kMaxBytes; ++length) {
      for (std::size_t byte = 0; byte < length; ++byte)
        masks[length][byte / 8] |= std::uint64_t{0xff} << byte % 8 * 8;
    }
    return masks;
  }();

  std::vector<Entry> entries_;
};

}  // namespace vkgpt::text
