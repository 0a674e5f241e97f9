#include "vkgpt/text/tokenizer/bpe_tokenizer.hpp"

#include <chrono>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "vkgpt/core/check.hpp"
#include "vkgpt/core/format.hpp"
#include "vkgpt/core/hash.hpp"
#include "vkgpt/core/json.hpp"
#include "vkgpt/core/utf8.hpp"
#include "vkgpt/text/tokenizer/byte_level.hpp"
#include "vkgpt/text/tokenizer/make_split.hpp"

#include "support/expect_error.hpp"
#include "support/paths.hpp"
#include "text/tokenizer/tokenizer_formats.hpp"

namespace vkgpt::text {
namespace {

const BpeTokenizer& gpt2() {
  static const std::unique_ptr<BpeTokenizer> kTokenizer = make_gpt2_tokenizer();
  return *kTokenizer;
}

/// Bytes and merges given as pairs of strings.
BpeVocabulary vocabulary_of(const std::vector<std::pair<std::string, std::string>>& merges) {
  BpeVocabulary vocabulary;
  for (unsigned byte = 0; byte < 256; ++byte) vocabulary.tokens.emplace_back(1, static_cast<char>(byte));
  const auto find = [&](const std::string& token) {
    const auto at = std::ranges::find(vocabulary.tokens, token);
    return at == vocabulary.tokens.end() ? Token{-1} : static_cast<Token>(at - vocabulary.tokens.begin());
  };
  for (const auto& [left, right] : merges) {
    if (find(left + right) < 0) vocabulary.tokens.push_back(left + right);
    vocabulary.merges.push_back({.left = find(left), .right = find(right), .merged = find(left + right)});
  }
  return vocabulary;
}

std::vector<std::string> pieces(const Tokenizer& tokenizer, std::string_view text) {
  std::vector<std::string> out;
  for (const Token token : tokenizer.encode(text)) out.push_back(tokenizer.decode({&token, 1}));
  return out;
}

/// The definition: look for the strongest pair, of equals the first, and merge it.
std::vector<Token> plain_bpe(const BpeVocabulary& vocabulary, std::string_view word) {
  std::vector<Token> tokens;
  for (const char c : word) tokens.push_back(static_cast<unsigned char>(c));
  for (bool merged = true; merged;) {
    merged = false;
    for (const BpeVocabulary::Merge& merge : vocabulary.merges) {
      for (std::size_t i = 0; i + 1 < tokens.size() && !merged; ++i) {
        if (tokens[i] != merge.left || tokens[i + 1] != merge.right) continue;
        tokens[i] = merge.merged;
        tokens.erase(tokens.begin() + static_cast<std::ptrdiff_t>(i) + 1);
        merged = true;
      }
      if (merged) break;
    }
  }
  return tokens;
}

TEST(BpeTokenizer, Gpt2EncodesAsTiktoken) {
  const Json golden = read_json_file(test::source_dir() / "tests/golden/gpt2_tokens.json");
  ASSERT_GT(golden["cases"].size(), 400U);
  for (const Json& one : golden["cases"]) {
    const auto text = one["text"].get<std::string>();
    EXPECT_EQ(gpt2().encode(text), one["tokens"].get<std::vector<Token>>()) << printable(text);
    EXPECT_EQ(gpt2().decode(gpt2().encode(text)), text);
  }
}

TEST(BpeTokenizer, Gpt2VocabularyIsOpenAis) {
  const Json golden = read_json_file(test::source_dir() / "tests/golden/gpt2_tokens.json");
  std::string listing;
  for (std::size_t i = 0; i < gpt2().vocabulary().tokens.size(); ++i) {
    listing += vkgpt::format("{} {}\n", i, to_byte_level(gpt2().vocabulary().tokens[i]));
  }
  EXPECT_EQ(gpt2().vocab_size(), 50257);
  EXPECT_EQ(sha256(listing), golden["vocabulary_sha256"].get<std::string>());
  EXPECT_EQ(gpt2().end_of_text(), 50256);
}

TEST(BpeTokenizer, ByteLevelCharactersStandForBytes) {
  std::string all;
  for (int byte = 0; byte < 256; ++byte) all += static_cast<char>(byte);
  EXPECT_EQ(to_byte_level(" a\n"),
            "\xc4\xa0"
            "a\xc4\x8a");
  EXPECT_EQ(from_byte_level(to_byte_level(all)), all);
  EXPECT_EQ(from_byte_level(" "), std::nullopt);
  EXPECT_EQ(from_byte_level("\xff"), std::nullopt);
  EXPECT_EQ(byte_level_order()[0], '!');
  EXPECT_EQ(byte_level_order()[255], 0xad);
}

TEST(BpeTokenizer, RoundTripsEveryByteString) {
  std::mt19937 random(5);
  const auto byte = make_byte_tokenizer();
  for (int round = 0; round < 300; ++round) {
    std::string text;
    for (std::size_t i = 0; i < static_cast<std::size_t>(round); ++i)
      text += static_cast<char>(random() % 256);
    EXPECT_EQ(gpt2().decode(gpt2().encode(text)), text);
    EXPECT_EQ(byte->decode(byte->encode(text)), text);
  }
  EXPECT_EQ(byte->encode("\x01\xff"), (std::vector<Token>{1, 255}));
}

TEST(BpeTokenizer, MergesAreAppliedByStrength) {
  EXPECT_EQ(
      pieces(BpeTokenizer(vocabulary_of({{"b", "c"}, {"a", "b"}}), make_split_pattern("gpt2"), "t"), "abcab"),
      (std::vector<std::string>{"a", "bc", "ab"}));
  // Two ways to one token; a run is merged from the left.
  const auto vocabulary = vocabulary_of({{"a", "a"}, {"a", "aa"}, {"aa", "a"}});
  EXPECT_EQ(pieces(BpeTokenizer(vocabulary, make_split_pattern("gpt2"), "t"), "aaaaa"),
            (std::vector<std::string>{"aa", "aaa"}));
}

TEST(BpeTokenizer, LongWordsFollowTheDefinition) {
  std::mt19937 random(9);
  for (int round = 0; round < 40; ++round) {
    // Random merges over few letters, also ones stronger than those that make their parts.
    std::vector<std::pair<std::string, std::string>> merges;
    std::vector<std::string> known = {"a", "b", "c"};
    for (int i = 0; i < 24; ++i) {
      const auto& left = known[random() % known.size()];
      const auto& right = known[random() % known.size()];
      const std::pair<std::string, std::string> merge{left, right};
      if (left.size() + right.size() > 12 || std::ranges::find(merges, merge) != merges.end()) continue;
      merges.push_back(merge);
      known.push_back(merge.first + merge.second);
    }
    BpeVocabulary vocabulary = vocabulary_of(merges);
    std::ranges::shuffle(vocabulary.merges, random);
    const BpeTokenizer tokenizer(vocabulary, make_split_pattern("none"), "t");
    for (const std::size_t length : {5U, 31U, 40U, 64U, 65U, 300U}) {
      std::string word;
      for (std::size_t i = 0; i < length; ++i)
        word += static_cast<char>('a' + random() % (round % 2 == 0 ? 2 : 4));
      EXPECT_EQ(tokenizer.encode(word), plain_bpe(vocabulary, word)) << word;
      EXPECT_EQ(tokenizer.encode(word), plain_bpe(vocabulary, word)) << "from the cache: " << word;
    }
  }
}

TEST(BpeTokenizer, IgnoredMergesLeaveWordsThatAreTokens) {
  BpeVocabulary vocabulary = vocabulary_of({{"b", "c"}, {"a", "b"}, {"ab", "c"}});
  EXPECT_EQ(pieces(BpeTokenizer(vocabulary, make_split_pattern("gpt2"), "t"), "abc"),
            (std::vector<std::string>{"a", "bc"}));
  vocabulary.ignore_merges = true;
  EXPECT_EQ(pieces(BpeTokenizer(vocabulary, make_split_pattern("gpt2"), "t"), "abc abcb"),
            (std::vector<std::string>{"abc", " ", "a", "bc", "b"}));
}

TEST(BpeTokenizer, SpecialNamesAreTextUntilAskedFor) {
  BpeVocabulary vocabulary = vocabulary_of({});
  vocabulary.tokens.insert(vocabulary.tokens.end(), {"<s>", "<s>>", "<t>", ""});
  vocabulary.specials = {{.token = 256, .name = "<s>"},
                         {.token = 257, .name = "<s>>"},
                         {.token = 258, .name = "<t>", .in_text = true}};
  vocabulary.end_of_text = "<s>";
  const BpeTokenizer tokenizer(vocabulary, make_split_pattern("gpt2"), "t");
  EXPECT_EQ(tokenizer.encode("<s>").size(), 3U);
  EXPECT_EQ(tokenizer.encode_with_special("<s>><s<s>a"), (std::vector<Token>{257, '<', 's', 256, 'a'}));
  EXPECT_EQ(tokenizer.encode("a<t>b"), (std::vector<Token>{'a', 258, 'b'}));
  EXPECT_EQ(tokenizer.special_token("<s>"), 256);
  EXPECT_EQ(tokenizer.special_token("<x>"), std::nullopt);
  EXPECT_EQ(tokenizer.end_of_text(), 256);
  EXPECT_EQ(tokenizer.decode(std::vector<Token>{256, 'a', 259}), "<s>a");
  EXPECT_THROW(tokenizer.decode(std::vector<Token>{260}), CheckFailure);
}

TEST(BpeTokenizer, FindsSpecialNamesInEveryTextWhereAskedTo) {
  BpeVocabulary vocabulary = vocabulary_of({});
  vocabulary.tokens.emplace_back("<s>");
  vocabulary.specials = {{.token = 256, .name = "<s>"}};
  BpeTokenizer tokenizer(vocabulary, make_split_pattern("gpt2"), "t");
  const std::string fingerprint = tokenizer.fingerprint();
  EXPECT_EQ(tokenizer.encode("a<s>").size(), 4U);
  tokenizer.find_special_names();
  EXPECT_EQ(tokenizer.encode("a<s>b"), (std::vector<Token>{'a', 256, 'b'}));
  EXPECT_EQ(tokenizer.fingerprint(), fingerprint);
  const std::string text = "a<s>";
  for (std::size_t length = 1; length <= text.size(); ++length) {
    const std::size_t safe = tokenizer.safe_prefix(text.substr(0, length));
    EXPECT_TRUE(safe <= 1 || safe == text.size()) << "a name is not cut in two: " << safe;
  }
}

TEST(BpeTokenizer, SafePrefixKeepsTokens) {
  BpeVocabulary vocabulary = gpt2().vocabulary();
  vocabulary.tokens.insert(vocabulary.tokens.end(), {"a b", " \n", "xyz, "});
  for (const Token token : {50257, 50258, 50259}) {
    vocabulary.specials.push_back(
        {.token = token, .name = vocabulary.tokens[static_cast<std::size_t>(token)], .in_text = true});
  }
  vocabulary.nfc = true;
  const BpeTokenizer tokenizer(std::move(vocabulary), make_split_pattern("gpt2"), "t");
  std::mt19937 random(3);
  const std::vector<std::string> parts = {"a",         " ", "b",        "\n",           "xy",   "z", ",",
                                          "e\xcc\x81", "e", "\xcc\x81", "\xe2\x84\xab", "\xff", "1", " b"};
  int found = 0;
  for (int round = 0; round < 5000; ++round) {
    std::string text;
    for (int i = 0; i < 8; ++i) text += parts[random() % parts.size()];
    const std::size_t safe =
        tokenizer.safe_prefix(std::string_view(text).substr(0, random() % (text.size() + 1)));
    found += safe > 0 ? 1 : 0;
    std::vector<Token> tokens = tokenizer.encode(std::string_view(text).substr(0, safe));
    tokenizer.append_tokens(std::string_view(text).substr(safe), tokens);
    ASSERT_EQ(tokens, tokenizer.encode(text)) << printable(text, 200) << " at " << safe;
  }
  EXPECT_GT(found, 1000);
}

TEST(BpeTokenizer, ThreadsDoNotChangeTokens) {
  std::mt19937 random(2);
  std::string text;
  while (text.size() < 3'000'000) {
    text +=
        random() % 50 == 0 ? std::string(random() % 3000, ' ') : vkgpt::format("word{} ,\n", random() % 5000);
  }
  for (const std::string& one : {text, std::string(1 << 20, 'a'), std::string()}) {
    std::vector<Token> expected;
    gpt2().append_tokens(one, 1, expected);
    for (const int threads : {2, 3, 8}) {
      std::vector<Token> tokens;
      gpt2().append_tokens(one, threads, tokens);
      EXPECT_EQ(tokens, expected) << threads;
    }
    EXPECT_EQ(gpt2().encode(one), expected);
  }
}

TEST(BpeTokenizer, RefusesVocabulariesThatContradictThemselves) {
  const auto refuse = [](const BpeVocabulary& vocabulary, const std::string& part) {
    expect_error([&] { BpeTokenizer(vocabulary, make_split_pattern("gpt2"), "t.json"); }, "t.json: " + part);
  };
  BpeVocabulary v = vocabulary_of({});
  v.tokens.push_back("a");
  refuse(v, "tokens 97 and 256 are both 'a'");
  v = vocabulary_of({{"a", "b"}});
  v.merges.push_back(v.merges[0]);
  refuse(v, "merge 1 joins the same tokens as merge 0");
  v.merges = {{.left = 1000, .right = 1, .merged = 1}};
  refuse(v, "merge 0 has a token outside the vocabulary of 257");
  v.merges = {{.left = 'a', .right = 'c', .merged = 256}};
  refuse(v, "merge 0 says that 'a' and 'c' give 'ab'");
  v = vocabulary_of({});
  v.specials = {{.token = 256, .name = "x"}};
  refuse(v, "special token 'x' with number 256");
  v.specials = {{.token = 5, .name = "x"}};
  refuse(v, "token 5 is");
}

/// Seconds for a text, the best of three.
double seconds_for(const std::string& text) {
  double best = 1e9;
  for (int i = 0; i < 3; ++i) {
    std::vector<Token> tokens;
    const auto start = std::chrono::steady_clock::now();
    gpt2().append_tokens(text, 1, tokens);
    best = std::min(best, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
  return best;
}

TEST(SlowBpeTokenizer, LongWordsTakeLinearTime) {
  for (const std::string unit :
       {"a", " ", "\xf0\x9f\x98\x80", "\xe4\xb8\xad\xe6\x96\x87", "ab", "\xff", "="}) {
    std::string text;
    while (text.size() < 1 << 18) text += unit;
    const double part = seconds_for(text);
    const double whole = seconds_for(text + text + text + text);
    EXPECT_LT(whole, 12 * part + 0.05)
        << printable(unit) << ": " << part << " s, four times the text " << whole << " s";
  }
}

}  // namespace
}  // namespace vkgpt::text
