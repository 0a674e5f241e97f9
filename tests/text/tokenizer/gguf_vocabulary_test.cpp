#include "vkgpt/text/tokenizer/gguf_vocabulary.hpp"

#include <algorithm>
#include <map>
#include <string>

#include <gtest/gtest.h>

#include "vkgpt/text/tokenizer/bpe_tokenizer.hpp"
#include "vkgpt/text/tokenizer/char_tokenizer.hpp"
#include "vkgpt/text/tokenizer/make_split.hpp"

#include "support/expect_error.hpp"
#include "text/tokenizer/gguf_words.hpp"
#include "text/tokenizer/split_sequence.hpp"

namespace vkgpt::text {
namespace {

using Entries = std::map<std::string, model::GgufValue>;
using Texts = std::vector<std::string>;
using Numbers = std::vector<std::int32_t>;

Entries by_key(const GgufVocabulary& vocabulary) {
  Entries entries;
  for (const model::GgufEntry& entry : vocabulary.entries) {
    EXPECT_TRUE(entries.emplace(entry.key.substr(std::string("tokenizer.ggml.").size()), entry.value).second);
  }
  return entries;
}

/// The 256 bytes, " a" and " aa", and what `change` adds.
BpeVocabulary small_vocabulary() {
  BpeVocabulary vocabulary;
  for (int byte = 0; byte < 256; ++byte) vocabulary.tokens.emplace_back(1, static_cast<char>(byte));
  vocabulary.tokens.emplace_back(" a");
  vocabulary.tokens.emplace_back(" aa");
  vocabulary.merges = {{.left = ' ', .right = 'a', .merged = 256},
                       {.left = 256, .right = 'a', .merged = 257}};
  return vocabulary;
}

void add_special(BpeVocabulary& vocabulary, const std::string& name, bool in_text) {
  vocabulary.specials.push_back(
      {.token = static_cast<Token>(vocabulary.tokens.size()), .name = name, .in_text = in_text});
  vocabulary.tokens.push_back(name);
}

GgufVocabulary exported(const BpeVocabulary& vocabulary, std::unique_ptr<SplitPattern> split) {
  const BpeTokenizer tokenizer(vocabulary, std::move(split), "test");
  return gguf_vocabulary(tokenizer, tokenizer.vocab_size());
}

TEST(GgufVocabulary, WritesTokensMergesAndTypes) {
  BpeVocabulary vocabulary = small_vocabulary();
  add_special(vocabulary, "<|endoftext|>", false);
  add_special(vocabulary, "<think>", true);
  add_special(vocabulary, "<|begin|>", false);
  vocabulary.end_of_text = "<|endoftext|>";
  vocabulary.begin_of_text = "<|begin|>";
  const BpeTokenizer tokenizer(vocabulary, make_split_pattern("gpt2"), "test");
  const GgufVocabulary result = gguf_vocabulary(tokenizer, 263);
  EXPECT_EQ(result.rows, 263);
  const Entries entries = by_key(result);
  EXPECT_EQ(std::get<std::string>(entries.at("model")), "gpt2");
  EXPECT_EQ(std::get<std::string>(entries.at("pre")), "gpt-2");
  const auto& tokens = std::get<Texts>(entries.at("tokens"));
  const auto& types = std::get<Numbers>(entries.at("token_type"));
  ASSERT_EQ(tokens.size(), 263U);
  ASSERT_EQ(types.size(), 263U);
  EXPECT_EQ(tokens['\n'], "\u010a");
  EXPECT_EQ(tokens[' '], "\u0120");
  EXPECT_EQ(tokens['x'], "x");
  EXPECT_EQ(tokens[0xE9], "\u00e9");
  EXPECT_EQ(Texts(tokens.begin() + 256, tokens.end()),
            (Texts{"\u0120a", "\u0120aa", "<|endoftext|>", "<think>", "<|begin|>", "[PAD261]", "[PAD262]"}));
  EXPECT_EQ(Numbers(types.begin() + 256, types.end()), (Numbers{1, 1, 3, 4, 3, 5, 5}));
  EXPECT_TRUE(std::all_of(types.begin(), types.begin() + 256, [](std::int32_t type) { return type == 1; }));
  EXPECT_EQ(std::get<Texts>(entries.at("merges")), (Texts{"\u0120 a", "\u0120a a"}));
  EXPECT_EQ(std::get<std::uint32_t>(entries.at("eos_token_id")), 258U);
  EXPECT_EQ(std::get<std::uint32_t>(entries.at("bos_token_id")), 260U);
  EXPECT_FALSE(std::get<bool>(entries.at("add_bos_token")));
  EXPECT_EQ(std::get<Numbers>(entries.at("suppress_tokens")), (Numbers{261, 262}));
}

TEST(GgufVocabulary, NamesTheRuleForWords) {
  const auto pre_of = [](std::unique_ptr<SplitPattern> split, bool ignore_merges) {
    BpeVocabulary vocabulary = small_vocabulary();
    vocabulary.ignore_merges = ignore_merges;
    return std::get<std::string>(by_key(exported(vocabulary, std::move(split))).at("pre"));
  };
  const std::string llama3 =
      R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|)"
      R"(\s*[\r\n]+|\s+(?!\S)|\s+)";
  std::string qwen2 = llama3;
  qwen2.erase(qwen2.find("{1,3}"), 5);
  EXPECT_EQ(pre_of(make_split_pattern("gpt2"), false), "gpt-2");
  EXPECT_EQ(pre_of(make_gpt2_split(Digits::kIndividual), false), "smollm");
  EXPECT_EQ(pre_of(make_regex_split(llama3, "test"), true), "llama-bpe");
  EXPECT_EQ(pre_of(make_regex_split(llama3, "test"), false), "dbrx");
  EXPECT_EQ(pre_of(make_regex_split(qwen2, "test"), false), "qwen2");
  EXPECT_EQ(pre_of(make_split_pattern("cl100k"), true), "llama-bpe");
  EXPECT_EQ(pre_of(make_split_pattern("o200k"), false), "gpt-4o");
  for (const char* name : {"deepseek-v3", "deepseek-coder", "tekken", "qwen2", "llama-bpe"}) {
    const GgufWords words = gguf_words(name, "test");
    std::vector<std::unique_ptr<SplitPattern>> steps;
    for (const std::string& regex : words.regexes) steps.push_back(make_regex_split(regex, "test"));
    EXPECT_EQ(pre_of(std::make_unique<SplitSequence>(std::move(steps)), words.ignore_merges), name);
  }
  expect_error([&] { pre_of(make_split_pattern("none"), false); }, "the whole text is one word");
  expect_error([&] { pre_of(make_gpt2_split(Digits::kRuns), false); }, "llama.cpp has no rule");
  expect_error([&] { pre_of(make_regex_split(R"(\w+|\W+)", "test"), false); }, R"((\w+|\W+))");

  BpeVocabulary bytes = small_vocabulary();
  bytes.tokens.resize(256);
  bytes.merges.clear();
  add_special(bytes, "<|endoftext|>", false);
  bytes.end_of_text = "<|endoftext|>";
  EXPECT_FALSE(by_key(exported(bytes, make_split_pattern("none"))).contains("suppress_tokens"));
  EXPECT_EQ(std::get<std::string>(by_key(exported(bytes, make_split_pattern("none"))).at("pre")), "gpt-2");
}

TEST(GgufVocabulary, AddsAnEndOfTextThatIsNeverGenerated) {
  const auto tokenizer = CharTokenizer::from_text("b a\n~", "test");
  const GgufVocabulary result = gguf_vocabulary(tokenizer, 6);
  EXPECT_EQ(result.rows, 7);
  const Entries entries = by_key(result);
  EXPECT_EQ(std::get<Texts>(entries.at("tokens")),
            (Texts{"\u010a", "\u0120", "a", "b", "~", "[PAD5]", "<|endoftext|>"}));
  EXPECT_EQ(std::get<Numbers>(entries.at("token_type")), (Numbers{1, 1, 1, 1, 1, 5, 3}));
  EXPECT_TRUE(std::get<Texts>(entries.at("merges")).empty());
  EXPECT_EQ(std::get<std::uint32_t>(entries.at("eos_token_id")), 6U);
  EXPECT_EQ(std::get<std::uint32_t>(entries.at("bos_token_id")), 6U);
  EXPECT_EQ(std::get<Numbers>(entries.at("suppress_tokens")), (Numbers{5, 6}));
}

TEST(GgufVocabulary, RefusesWhatLlamaCppCannotExpress) {
  const auto umlauts = CharTokenizer::from_text("gr\u00fc\u00dfe", "test");
  expect_error([&] { gguf_vocabulary(umlauts, umlauts.vocab_size()); }, "beyond ASCII such as '\u00df'");

  BpeVocabulary vocabulary = small_vocabulary();
  add_special(vocabulary, "[PAD259]", false);
  const BpeTokenizer tokenizer(vocabulary, make_split_pattern("gpt2"), "test");
  expect_error([&] { gguf_vocabulary(tokenizer, 260); }, "two tokens are both written '[PAD259]'");
}

}  // namespace
}  // namespace vkgpt::text
