#include <array>
#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "vkgpt/core/json.hpp"
#include "vkgpt/core/utf8.hpp"
#include "vkgpt/text/tokenizer/make_split.hpp"

#include "support/expect_error.hpp"
#include "support/paths.hpp"
#include "text/tokenizer/char_class.hpp"
#include "text/tokenizer/regex_split.hpp"
#include "text/tokenizer/split_sequence.hpp"

namespace vkgpt::text {
namespace {

std::vector<std::size_t> word_lengths(const SplitPattern& split, std::string_view text) {
  std::vector<std::size_t> lengths;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = split.next(text, at);
    EXPECT_GT(end, at);
    EXPECT_LE(end, text.size());
    if (end <= at || end > text.size()) break;
    lengths.push_back(end - at);
    at = end;
  }
  return lengths;
}

/// The three steps of DeepSeek V3's tokenizer.
std::unique_ptr<SplitPattern> deepseek_split() {
  std::vector<std::unique_ptr<SplitPattern>> steps;
  for (const char* regex :
       {R"(\p{N}{1,3})", "[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+",
        R"([!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+|)"
        R"( ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)"}) {
    steps.push_back(make_regex_split(regex, "t"));
  }
  return std::make_unique<SplitSequence>(std::move(steps));
}

/// Of which nothing is known but what it does.
std::unique_ptr<SplitPattern> tekken_split() {
  return make_regex_split(
      R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|)"
      R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}|)"
      R"( ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
      "t");
}

/// Every scanner, and PCRE2 with a pattern that it does not know.
std::vector<std::pair<std::string, std::unique_ptr<SplitPattern>>> all_patterns() {
  std::vector<std::pair<std::string, std::unique_ptr<SplitPattern>>> all;
  for (const char* name : {"gpt2", "cl100k", "o200k", "none"})
    all.emplace_back(name, make_split_pattern(name));
  all.emplace_back("digits", make_gpt2_split(Digits::kIndividual));
  all.emplace_back("digit runs", make_gpt2_split(Digits::kRuns));
  const Json golden = read_json_file(test::source_dir() / "tests/golden/split_words.json");
  for (const char* name : {"llama3", "qwen2"}) {
    all.emplace_back(name, make_regex_split(golden["regex"][name].get<std::string>(), "t"));
  }
  all.emplace_back("tekken", tekken_split());
  all.emplace_back("pcre", make_regex_split(R"(\p{L}+|\p{N}{1,2}|[^\S\n]+|\n+)", "t"));
  return all;
}

TEST(SplitPattern, CutsAsTiktokenAndHuggingFaceDo) {
  const Json golden = read_json_file(test::source_dir() / "tests/golden/split_words.json");
  ASSERT_GT(golden["cases"].size(), 800U);
  for (const char* name : {"gpt2", "cl100k", "o200k", "llama3", "qwen2"}) {
    const auto regex = golden["regex"][name].get<std::string>();
    const auto scanner = make_regex_split(regex, "t");
    // The same by PCRE2: a group around it hides it from the recognition.
    const auto pcre = make_regex_split("(?:" + regex + ")", "t");
    EXPECT_EQ(scanner->regex(), regex);
    EXPECT_EQ(dynamic_cast<const RegexSplit*>(scanner.get()), nullptr) << name;
    EXPECT_NE(dynamic_cast<const RegexSplit*>(pcre.get()), nullptr) << name;
    for (const Json& one : golden["cases"]) {
      const auto text = one["text"].get<std::string>();
      const auto expected = one[one.contains(name) ? name : "cl100k"].get<std::vector<std::size_t>>();
      EXPECT_EQ(word_lengths(*scanner, text), expected) << name << " " << printable(text);
      EXPECT_EQ(word_lengths(*pcre, text), expected) << name << " by PCRE2 " << printable(text);
    }
  }
}

TEST(SplitPattern, NamesGiveTiktokensPatterns) {
  const Json golden = read_json_file(test::source_dir() / "tests/golden/split_words.json");
  for (const char* name : {"gpt2", "cl100k", "o200k"}) {
    EXPECT_EQ(make_split_pattern(name)->regex(), golden["regex"][name].get<std::string>());
  }
  EXPECT_EQ(make_split_pattern("none")->regex(), "");
}

TEST(SplitPattern, ClassesCoverEveryCodePointOnce) {
  const std::uint8_t* table = char_class_table();
  std::array<int, 256> count{};
  for (std::size_t c = 0; c < 0x110000; ++c) ++count[table[c]];
  // The sizes of the classes of Unicode 16, without surrogates and unassigned ones.
  EXPECT_EQ(count[kUpper], 1889);
  EXPECT_EQ(count[kLower], 2258);
  EXPECT_EQ(count[kCaseless], 136881);
  EXPECT_EQ(count[kMark], 2501);
  EXPECT_EQ(count[kNumber], 1911);
  EXPECT_EQ(count[kSpace], 23);
  EXPECT_EQ(count[kNewline], 2);
  for (const auto& [c, bits] : {std::pair<char32_t, int>{U'A', kUpper},
                                {U'\u00df', kLower},
                                {U'\u4e2d', kCaseless},
                                {U'\u0301', kMark},
                                {U'\u00bd', kNumber},
                                {U'\u3000', kSpace},
                                {U'_', kOtherChar}}) {
    EXPECT_EQ(table[c], bits) << static_cast<unsigned>(c);
  }
}

TEST(SplitPattern, DigitsStandAloneWhereTheyAreIsolated) {
  const auto one = make_gpt2_split(Digits::kIndividual);
  EXPECT_EQ(word_lengths(*one, "ab 12  3 x"), (std::vector<std::size_t>{2, 1, 1, 1, 2, 1, 2}));
  EXPECT_EQ(word_lengths(*make_gpt2_split(Digits::kRuns), "ab 12  3 x"),
            (std::vector<std::size_t>{2, 1, 2, 2, 1, 2}));
  EXPECT_EQ(*gpt2_digits(*one), Digits::kIndividual);
  EXPECT_EQ(gpt2_digits(*make_split_pattern("cl100k")), nullptr);
}

/// Random text of characters that patterns tell apart, with invalid bytes.
std::string random_text(std::mt19937& random, int pieces) {
  static const std::vector<std::string> kPieces = {" ",
                                                   " ",
                                                   " ",
                                                   "  ",
                                                   "\n",
                                                   "\r",
                                                   "\t",
                                                   "a",
                                                   "b",
                                                   "s",
                                                   "ll",
                                                   "'",
                                                   "'",
                                                   "'s",
                                                   "'LL",
                                                   "A",
                                                   "Z",
                                                   "1",
                                                   "23",
                                                   ".",
                                                   ",",
                                                   "/",
                                                   "!",
                                                   "\xc3\xa9",
                                                   "\xc5\xbf",
                                                   "\xcc\x81",
                                                   "\xe4\xb8\xad",
                                                   "\xe3\x80\x80",
                                                   "\xf0\x9f\x98\x80",
                                                   "\xc7\x85",
                                                   "\xc2\xb2",
                                                   "\xff",
                                                   "\xc3",
                                                   "\xe2\x82",
                                                   "\xf0\x9f",
                                                   "\xed\xa0\x80"};
  std::string text;
  for (int i = 0; i < pieces; ++i) text += kPieces[random() % kPieces.size()];
  return text;
}

TEST(SplitPattern, SafePrefixIsCutOnItsOwn) {
  std::mt19937 random(7);
  for (const auto& [name, split] : all_patterns()) {
    std::size_t found = 0;
    for (int round = 0; round < 20000; ++round) {
      const std::string whole = random_text(random, 1 + static_cast<int>(random() % 14));
      // Cut anywhere, inside characters too: what is not there yet may be anything.
      const std::string_view seen = std::string_view(whole).substr(0, random() % (whole.size() + 1));
      const std::size_t safe = split->safe_prefix(seen);
      ASSERT_LE(safe, seen.size());
      found += safe > 0 ? 1 : 0;
      std::vector<std::size_t> parts = word_lengths(*split, std::string_view(whole).substr(0, safe));
      for (const std::size_t length : word_lengths(*split, std::string_view(whole).substr(safe)))
        parts.push_back(length);
      ASSERT_EQ(parts, word_lengths(*split, whole))
          << name << " cut at " << safe << ": " << printable(whole, 200);
    }
    EXPECT_TRUE(found > 8000 || name == "none" || name == "pcre") << name << " " << found;
  }
}

TEST(SplitPattern, StepsAreCutWhereAllAgree) {
  std::vector<std::pair<std::string, std::unique_ptr<SplitPattern>>> all;
  all.emplace_back("deepseek", deepseek_split());
  std::vector<std::unique_ptr<SplitPattern>> steps;
  steps.push_back(std::make_unique<DigitSplit>(false));
  steps.push_back(tekken_split());
  all.emplace_back("digits", std::make_unique<SplitSequence>(std::move(steps)));
  std::mt19937 random(9);
  for (const auto& [name, split] : all) {
    const auto words = [&](std::string_view text) {
      std::vector<std::string> found;
      std::size_t begin = 0;
      split->cut(text, [&](std::size_t end) {
        found.emplace_back(text.substr(begin, end - begin));
        begin = end;
      });
      return found;
    };
    std::size_t found = 0;
    for (int round = 0; round < 20000; ++round) {
      const std::string whole = random_text(random, 1 + static_cast<int>(random() % 14));
      const std::string_view seen = std::string_view(whole).substr(0, random() % (whole.size() + 1));
      const std::size_t safe = split->safe_prefix(seen);
      found += safe > 0 ? 1 : 0;
      std::vector<std::string> parts = words(std::string_view(whole).substr(0, safe));
      for (std::string& word : words(std::string_view(whole).substr(safe))) parts.push_back(std::move(word));
      ASSERT_EQ(parts, words(whole)) << name << " cut at " << safe << ": " << printable(whole, 200);
    }
    EXPECT_GT(found, 6000U) << name;
    std::string prose;
    while (prose.size() < 100'000) prose += "It was the best of times,\nit was the worst of times; ";
    EXPECT_GT(split->safe_prefix(prose), prose.size() - 20) << name;
  }
}

TEST(SplitPattern, MayTakeStepsByTheLengthOfTheText) {
  const std::string text = "hello" + std::string(2 << 20, ' ') + "world";
  std::vector<std::size_t> ends;
  deepseek_split()->cut(text, [&](std::size_t end) { ends.push_back(end); });
  EXPECT_EQ(ends, (std::vector<std::size_t>{5, 5 + (2 << 20) - 1, text.size()}));
}

TEST(SplitPattern, ProseHasASafePrefixNearItsEnd) {
  const std::string text = "It was the best of times, it was the worst of times; it was the age of wisdom.";
  for (const auto& [name, split] : all_patterns()) {
    if (name == "none" || name == "pcre") continue;
    EXPECT_GT(split->safe_prefix(text), text.size() - 10) << name;
  }
}

TEST(SplitPattern, LongRunsAreLinear) {
  const std::size_t n = 1 << 20;
  for (const auto& [name, split] : all_patterns()) {
    for (const std::string& unit :
         {std::string("a"), std::string(" "), std::string("\n"), std::string(" \n"),
          std::string("\xf0\x9f\x98\x80"), std::string("\xff"), std::string("A\xcc\x81"),
          std::string("\xcc\x81"), std::string("'"), std::string("1")}) {
      std::string text;
      text.reserve(n + 1);
      while (text.size() < n) text += unit;
      std::size_t sum = 0;
      for (const std::size_t length : word_lengths(*split, text + "x")) sum += length;
      EXPECT_EQ(sum, text.size() + 1) << name;
    }
  }
}

TEST(SplitPattern, RefusesWhatItCannotRead) {
  expect_error([] { make_split_pattern("gpt3\n"); }, "unknown split pattern 'gpt3\\x0a'");
  expect_error([] { make_regex_split("(", "t.json"); }, "t.json: cannot read the split pattern '('");
  expect_error([] { make_regex_split("[a&&b]", "t.json"); }, "uses '&&'");
  expect_error([] { make_regex_split(std::string(20000, 'a'), "t.json"); }, "20000 bytes");
  expect_error([] { make_regex_split("", "t.json"); }, "0 bytes");
  expect_error([] { make_regex_split("\xff", "t.json"); }, "cannot read");
  expect_error([] { make_regex_split(std::string(5000, '('), "t.json"); }, "cannot read");
}

TEST(SplitPattern, HostileRegexEndsWithAMessage) {
  const auto split = make_regex_split("(?:a+)+(?:a+)+(?:a+)+b|(?:x*)*y", "t.json");
  expect_error([&] { split->next(std::string(5000, 'a'), 0); }, "needs too long");
}

}  // namespace
}  // namespace vkgpt::text
