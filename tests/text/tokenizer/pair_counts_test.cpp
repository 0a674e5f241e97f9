#include "text/tokenizer/pair_counts.hpp"

#include <array>
#include <numeric>
#include <string_view>
#include <utility>

#include <gtest/gtest.h>

namespace vkgpt::text {
namespace {

/// Byte b is token b + `first`.
PairCounts pairs_of(const std::vector<std::pair<std::string_view, std::uint64_t>>& words,
                    std::uint64_t min_count = 1, Token first = 0) {
  std::array<Token, 256> byte_tokens;
  std::iota(byte_tokens.begin(), byte_tokens.end(), first);
  std::vector<WordTable> tables(2);
  for (const auto& [word, count] : words) {
    tables[word.size() % 2].add(word, WordTable::hash(word), count);
  }
  return {std::move(tables), byte_tokens, min_count};
}

void expect_next(PairCounts& pairs, Token left, Token right, std::uint64_t count) {
  const auto pair = pairs.take_strongest();
  ASSERT_TRUE(pair.has_value());
  EXPECT_EQ(pair->left, left);
  EXPECT_EQ(pair->right, right);
  EXPECT_EQ(pair->count, count);
}

TEST(PairCounts, AMergeChangesItsNeighbours) {
  PairCounts pairs = pairs_of({{"abab", 2}, {"cab", 3}, {"x", 100}});
  expect_next(pairs, 'a', 'b', 7);
  pairs.merge(256);
  expect_next(pairs, 'c', 256, 3);
  pairs.merge(257);
  expect_next(pairs, 256, 256, 2);  // "ba" is gone
  pairs.merge(258);
  EXPECT_FALSE(pairs.take_strongest());
}

TEST(PairCounts, OfEqualCountsTheLowerNumbersComeFirst) {
  PairCounts pairs = pairs_of({{"zb", 5}, {"az", 5}, {"ay", 5}});
  expect_next(pairs, 'a', 'y', 5);
  expect_next(pairs, 'a', 'z', 5);
  expect_next(pairs, 'z', 'b', 5);
  EXPECT_FALSE(pairs.take_strongest());
}

TEST(PairCounts, RunsAreMergedFromTheLeft) {
  PairCounts pairs = pairs_of({{"aaaaa", 1}}, 1, 7);
  const Token a = 'a' + 7;
  expect_next(pairs, a, a, 4);
  pairs.merge(263);
  expect_next(pairs, 263, a, 1);  // [aa][aa]a
  expect_next(pairs, 263, 263, 1);
}

TEST(PairCounts, WhatIsNotMergedStaysApart) {
  PairCounts pairs = pairs_of({{"abc", 2}});
  expect_next(pairs, 'a', 'b', 2);
  expect_next(pairs, 'b', 'c', 2);
  pairs.merge(256);
  expect_next(pairs, 'a', 256, 2);
}

TEST(PairCounts, RarePairsAreForgotten) {
  PairCounts pairs = pairs_of({{"abc", 2}, {"abd", 2}, {"xy", 1}}, 3);
  expect_next(pairs, 'a', 'b', 4);
  pairs.merge(256);
  EXPECT_FALSE(pairs.take_strongest());
}

TEST(PairCounts, CountsGoBeyond32Bits) {
  constexpr std::uint64_t kMany = std::uint64_t{1} << 40;
  PairCounts pairs = pairs_of({{"ab", kMany}, {"abc", kMany}});
  expect_next(pairs, 'a', 'b', 2 * kMany);
  pairs.merge(256);
  expect_next(pairs, 256, 'c', kMany);
}

}  // namespace
}  // namespace vkgpt::text
