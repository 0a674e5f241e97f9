#include "vkgpt/text/tokenizer/word_counts.hpp"

#include <algorithm>
#include <map>
#include <random>
#include <stdexcept>
#include <string>

#include <gtest/gtest.h>

#include "vkgpt/text/tokenizer/make_split.hpp"

namespace vkgpt::text {
namespace {

using Counts = std::map<std::string, std::uint64_t>;

/// Gives `text` as one document in pieces of `piece_bytes`.
NextPiece pieces_of(const std::string& text, std::size_t piece_bytes) {
  return [&text, piece_bytes, at = std::size_t{0}]() mutable -> std::optional<TextPiece> {
    if (at == text.size()) return std::nullopt;
    TextPiece piece{.text = text.substr(at, piece_bytes)};
    at += piece.text.size();
    piece.ends_document = at == text.size();
    return piece;
  };
}

Counts counts_of(const std::vector<WordTable>& tables) {
  Counts counts;
  for (const WordTable& table : tables) {
    for (std::size_t i = 0; i < table.size(); ++i) {
      const WordTable::Word word = table.word(i);
      EXPECT_TRUE(counts.emplace(word.bytes, word.count).second) << word.bytes << " is there twice";
    }
  }
  return counts;
}

Counts count(const std::string& text, std::size_t piece_bytes, std::size_t threads,
             const std::string& pattern = "gpt2") {
  const auto split = make_split_pattern(pattern);
  const auto tables =
      count_words(pieces_of(text, piece_bytes), *split, threads, [](std::uint64_t) { return true; });
  EXPECT_TRUE(tables.has_value());
  return tables ? counts_of(*tables) : Counts{};
}

/// About `size` bytes of words, most of them rare.
std::string random_text(std::size_t size) {
  std::mt19937 random(1);
  std::string text;
  while (text.size() < size) {
    for (std::size_t i = random() % 9; i-- > 0;) text += static_cast<char>('a' + random() % 26);
    text += " \n 5é'"[random() % 7];
  }
  return text;
}

TEST(WordTable, CountsManyWords) {
  WordTable table;
  for (int round = 1; round <= 2; ++round) {
    for (int i = 0; i < 100000; ++i) {
      const std::string word = std::to_string(i * 7919) + std::string(static_cast<std::size_t>(i % 40), 'x');
      table.add(word, WordTable::hash(word), static_cast<std::uint64_t>(round));
    }
  }
  ASSERT_EQ(table.size(), 100000U);
  EXPECT_EQ(table.word(77).bytes, std::to_string(77 * 7919) + std::string(37, 'x'));
  for (std::size_t i = 0; i < table.size(); ++i) ASSERT_EQ(table.word(i).count, 3U);
}

TEST(WordTable, EqualHashesAreToldApart) {
  WordTable table;
  for (const char* word : {"one", "two", "one", "three", "", "two", "one"}) table.add(word, 42, 1);
  ASSERT_EQ(table.size(), 4U);
  EXPECT_EQ(table.word(0).count, 3U);
  EXPECT_EQ(table.word(1).count, 2U);
  EXPECT_EQ(table.word(3).bytes, "");
  EXPECT_EQ(table.text_size(), 11U);
}

TEST(WordTable, CountsBeyond32Bits) {
  WordTable table;
  for (int i = 0; i < 4; ++i) table.add("a", 1, std::uint64_t{1} << 62);
  EXPECT_EQ(table.word(0).count, 0U);  // 2^64
  table.add("b", 2, std::uint64_t{1} << 40);
  EXPECT_EQ(table.word(1).count, std::uint64_t{1} << 40);
}

TEST(WordCounts, NeitherPiecesNorThreadsChangeThem) {
  const std::string text = random_text(600000);  // more words than a thread keeps to itself
  const auto split = make_split_pattern("gpt2");
  Counts expected;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = split->next(text, at);
    ++expected[text.substr(at, end - at)];
    at = end;
  }
  ASSERT_GT(expected.size(), 65536U);
  for (const std::size_t piece_bytes : {std::size_t{999}, text.size()}) {
    for (const std::size_t threads : {1, 2, 5})
      EXPECT_TRUE(count(text, piece_bytes, threads) == expected) << piece_bytes << " " << threads;
  }
}

TEST(WordCounts, DocumentsDoNotTouch) {
  const std::vector<std::string> documents = {"one two", "", "two", "three"};
  std::size_t at = 0;
  const auto next = [&]() -> std::optional<TextPiece> {
    if (at == documents.size()) return std::nullopt;
    return TextPiece{.text = documents[at++], .ends_document = true};
  };
  const auto tables = count_words(next, *make_split_pattern("gpt2"), 2, [](std::uint64_t) { return true; });
  ASSERT_TRUE(tables);
  EXPECT_EQ(counts_of(*tables), (Counts{{"one", 1}, {" two", 1}, {"two", 1}, {"three", 1}}));
}

TEST(WordCounts, LongWordsAreCutInTheEnd) {
  const std::string text(kMaxWordBytes + 1000, 'a');
  const Counts expected = {{std::string(kMaxWordBytes, 'a'), 1}, {std::string(1000, 'a'), 1}};
  EXPECT_TRUE(count(text, std::size_t{1} << 20, 2) == expected);
  const std::string fits = "b " + std::string(kMaxWordBytes - 2, 'a');
  EXPECT_EQ(count(fits, std::size_t{1} << 20, 1, "none"), (Counts{{fits, 1}}));
}

TEST(WordCounts, EndEarlyAndPassErrorsOn) {
  const std::string text = random_text(std::size_t{1} << 20);
  const auto split = make_split_pattern("gpt2");
  const auto stop = [](std::uint64_t bytes) { return bytes < 500000; };
  EXPECT_FALSE(count_words(pieces_of(text, 1000), *split, 2, stop).has_value());
  int calls = 0;
  const auto broken = [&]() -> std::optional<TextPiece> {
    if (++calls == 700) throw std::runtime_error("no more");
    return TextPiece{.text = "some words of text"};
  };
  EXPECT_THROW(count_words(broken, *split, 3, [](std::uint64_t) { return true; }), std::runtime_error);
}

}  // namespace
}  // namespace vkgpt::text
