#include "vkgpt/text/tokenizer/bpe_trainer.hpp"

#include <algorithm>
#include <map>
#include <numeric>
#include <random>
#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "vkgpt/core/error.hpp"
#include "vkgpt/core/json.hpp"
#include "vkgpt/text/tokenizer/byte_level.hpp"
#include "vkgpt/text/tokenizer/make_split.hpp"

#include "support/expect_error.hpp"
#include "support/paths.hpp"

namespace vkgpt::text {
namespace {

using Strings = std::vector<std::string>;
using Pair = std::pair<Token, Token>;

NextPiece documents_of(Strings documents) {
  return [documents = std::move(documents), at = std::size_t{0}]() mutable -> std::optional<TextPiece> {
    if (at == documents.size()) return std::nullopt;
    return TextPiece{.text = documents[at++], .ends_document = true};
  };
}

BpeVocabulary train(const Strings& documents, const BpeTrainerConfig& config) {
  return train_bpe(documents_of(documents), config).value();
}

std::vector<Pair> pairs_of(const BpeVocabulary& vocabulary) {
  std::vector<Pair> pairs;
  for (const BpeVocabulary::Merge& merge : vocabulary.merges) pairs.emplace_back(merge.left, merge.right);
  return pairs;
}

/// The definition: count all pairs, merge the best everywhere, again and again.
std::vector<Pair> definition(const std::string& text, const BpeVocabulary& first, std::int64_t vocab_size,
                             std::int64_t min_frequency, const SplitPattern& split) {
  std::vector<std::vector<Token>> words;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = split.next(text, at);
    std::vector<Token>& word = words.emplace_back();
    for (; at < end; ++at) {
      const auto found = std::ranges::find(first.tokens, text.substr(at, 1));
      word.push_back(static_cast<Token>(found - first.tokens.begin()));
    }
  }
  std::vector<Pair> merges;
  for (Token merged = 256; merged < vocab_size; ++merged) {
    std::map<Pair, std::int64_t> counts;
    for (const auto& word : words) {
      for (std::size_t i = 0; i + 1 < word.size(); ++i) ++counts[{word[i], word[i + 1]}];
    }
    const auto best = std::ranges::max_element(counts, {}, [](const auto& entry) { return entry.second; });
    if (best == counts.end() || best->second < min_frequency) break;
    merges.push_back(best->first);
    for (auto& word : words) {
      for (std::size_t i = 0; i + 1 < word.size(); ++i) {
        if (Pair(word[i], word[i + 1]) != merges.back()) continue;
        word[i] = merged;
        word.erase(word.begin() + static_cast<std::ptrdiff_t>(i) + 1);
      }
    }
  }
  return merges;
}

TEST(BpeTrainer, FollowsTheDefinition) {
  std::mt19937 random(3);
  const auto none = make_split_pattern("none");
  const auto gpt2 = make_split_pattern("gpt2");
  for (int round = 0; round < 60; ++round) {
    const unsigned letters = 1 + random() % 5;
    std::string text;
    for (std::size_t size = 2 + random() % 600; text.size() < size;) {
      text += random() % 6 == 0 ? ' ' : static_cast<char>('a' + random() % letters);
    }
    for (const SplitPattern* split : {none.get(), gpt2.get()}) {
      const BpeTrainerConfig config = {.vocab_size = 256 + static_cast<std::int64_t>(random() % 300),
                                       .min_frequency = 1 + static_cast<std::int64_t>(random() % 3),
                                       .split_pattern = split == none.get() ? "none" : "gpt2",
                                       .special_tokens = {},
                                       .threads = 1 + random() % 3};
      const BpeVocabulary vocabulary = train({text}, config);
      ASSERT_EQ(pairs_of(vocabulary),
                definition(text, vocabulary, config.vocab_size, config.min_frequency, *split))
          << text;
      for (const auto& [left, right, merged] : vocabulary.merges) {
        ASSERT_EQ(vocabulary.tokens[static_cast<std::size_t>(merged)],
                  vocabulary.tokens[static_cast<std::size_t>(left)] +
                      vocabulary.tokens[static_cast<std::size_t>(right)]);
      }
    }
  }
}

/// tools/interop/bpe_train.py wrote what Hugging Face's tokenizers make of the text.
TEST(BpeTrainer, EqualsHuggingFace) {
  const Json golden = read_json_file(test::source_dir() / "tests/golden/bpe_merges.json");
  const auto documents = golden["documents"].get<Strings>();
  ASSERT_EQ(golden["cases"].size(), 5U);
  for (const Json& wanted : golden["cases"]) {
    const BpeVocabulary vocabulary =
        train(documents, {.vocab_size = wanted["vocab_size"],
                          .min_frequency = wanted["min_frequency"],
                          .split_pattern = wanted["split_pattern"].get<std::string>(),
                          .special_tokens = wanted["special_tokens"].get<Strings>(),
                          .threads = 2});
    const std::size_t special_count = wanted["special_tokens"].size();
    const auto written = [&](Token token) {
      const std::string& bytes = vocabulary.tokens[static_cast<std::size_t>(token)];
      return static_cast<std::size_t>(token) < special_count ? bytes : to_byte_level(bytes);
    };
    Strings first;
    for (std::size_t i = 0; i < special_count + 256; ++i) first.push_back(written(static_cast<Token>(i)));
    EXPECT_EQ(first, wanted["first_tokens"].get<Strings>());
    Strings merges;
    for (const BpeVocabulary::Merge& merge : vocabulary.merges) {
      merges.push_back(written(merge.left) + " " + written(merge.right));
    }
    EXPECT_EQ(merges, wanted["merges"].get<Strings>());
  }
}

TEST(BpeTrainer, SpecialTokensAreNeverMade) {
  Strings documents(50, "<end> of a text <end>");
  const BpeTrainerConfig config = {
      .vocab_size = 1000, .split_pattern = "none", .special_tokens = {"<end>", "Ġof"}};
  const BpeVocabulary vocabulary = train(documents, config);
  EXPECT_EQ(vocabulary.end_of_text, "<end>");
  ASSERT_EQ(vocabulary.specials.size(), 2U);
  EXPECT_EQ(vocabulary.specials[1].token, 1);
  EXPECT_EQ(std::ranges::count(vocabulary.tokens, "<end>"), 1);
  EXPECT_EQ(std::ranges::count(vocabulary.tokens, " of"), 0);
  EXPECT_GT(vocabulary.merges.size(), 5U);
}

TEST(BpeTrainer, EndsWhereNoPairIsFrequentEnough) {
  const BpeTrainerConfig config = {.vocab_size = 5000, .min_frequency = 3, .special_tokens = {}};
  EXPECT_EQ(train({"abc abc abc abc ab"}, config).tokens.size(), 256U + 3);  // "ab", "abc", " abc"
  EXPECT_EQ(train({}, config).tokens.size(), 256U);
  EXPECT_EQ(train({"", "a", "b c"}, config).tokens.size(), 256U);
}

TEST(BpeTrainer, InvalidUtf8IsBytes) {
  const BpeVocabulary vocabulary = train({std::string("\xff\xfe\xff\xfe\x00\xff\xfe", 7)},
                                         {.vocab_size = 257, .split_pattern = "none", .special_tokens = {}});
  EXPECT_EQ(vocabulary.tokens.back(), "\xff\xfe");
}

TEST(BpeTrainer, AMillionTimesOneLetter) {
  const BpeVocabulary vocabulary =
      train({std::string(std::size_t{1} << 20, 'a')}, {.vocab_size = 300, .special_tokens = {}});
  ASSERT_EQ(vocabulary.merges.size(), 19U);  // the last pair would be seen once
  EXPECT_EQ(vocabulary.tokens.back().size(), std::size_t{1} << 19);
}

TEST(BpeTrainer, RefusesWhatCannotBe) {
  const auto refuse = [](BpeTrainerConfig config, const std::string& part) {
    expect_error([&] { train({"text"}, config); }, part);
  };
  refuse({.vocab_size = 256},
         "a vocabulary of 256 is too small: the 256 bytes and 1 special tokens need 257");
  refuse({.vocab_size = 1 << 30}, "too large");
  refuse({.min_frequency = 0}, "a minimum frequency of 0");
  refuse({.special_tokens = {"<a>", "<a>"}}, "special token \"<a>\" is there twice");
  refuse({.special_tokens = {""}}, "has no name");
  refuse({.special_tokens = {"\xff"}}, "not UTF-8");
  refuse({.special_tokens = {"Ġ"}}, "is the name of a byte");
  refuse({.split_pattern = "words"}, "words");
}

TEST(BpeTrainer, ReportsProgressAndEndsEarly) {
  const Strings documents = {"some text to count, some text to merge"};
  std::vector<BpeProgress> seen;
  const auto watch = [&](const BpeProgress& progress) {
    seen.push_back(progress);
    return true;
  };
  ASSERT_TRUE(train_bpe(documents_of(documents), {.vocab_size = 300}, watch));
  EXPECT_EQ(seen.front().tokens, 0);
  EXPECT_EQ(seen.back().text_bytes, documents.front().size());
  EXPECT_GT(seen.back().tokens, 257);
  for (const std::int64_t last : {0, 260}) {
    const auto stop = [&](const BpeProgress& progress) { return progress.tokens < last; };
    EXPECT_FALSE(train_bpe(documents_of(documents), {.vocab_size = 300}, stop)) << last;
  }
}

}  // namespace
}  // namespace vkgpt::text
