#include "text/tokenizer/tokenizer_formats.hpp"

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "vkgpt/core/format.hpp"
#include "vkgpt/core/json.hpp"
#include "vkgpt/text/tokenizer/byte_level.hpp"
#include "vkgpt/text/tokenizer/make_split.hpp"
#include "vkgpt/text/tokenizer/open_tokenizer.hpp"

#include "support/expect_error.hpp"
#include "support/temp_directory.hpp"

namespace vkgpt::text {
namespace {

/// Bytes 0 to 255, "ab" = 256, <|endoftext|> = 257, <think> = 258 (found in text).
Json small_json() {
  Json vocab;
  for (int byte = 0; byte < 256; ++byte) vocab[to_byte_level(std::string(1, static_cast<char>(byte)))] = byte;
  vocab["ab"] = 256;
  return {{"version", "1.0"},
          {"added_tokens",
           {{{"id", 257}, {"content", "<|endoftext|>"}, {"special", true}},
            {{"id", 258}, {"content", "<think>"}, {"special", false}}}},
          {"normalizer", nullptr},
          {"pre_tokenizer", {{"type", "ByteLevel"}, {"add_prefix_space", false}}},
          {"post_processor", {{"type", "TemplateProcessing"}}},
          {"decoder", {{"type", "ByteLevel"}}},
          {"model", {{"type", "BPE"}, {"vocab", vocab}, {"merges", {"a b"}}}}};
}

std::unique_ptr<Tokenizer> parse(const Json& json, const SpecialNames& names = {}) {
  return parse_tokenizer_json(json.dump(), names, "t.json");
}

TEST(TokenizerFormats, TokenizerJsonIsRead) {
  Json json = small_json();
  const auto tokenizer = parse(json);
  EXPECT_EQ(tokenizer->vocab_size(), 259);
  EXPECT_EQ(tokenizer->encode("ab<think>c"), (std::vector<Token>{256, 258, 'c'}));
  EXPECT_EQ(tokenizer->end_of_text(), 257);
  json["model"]["merges"] = Json::array({Json::array({"a", "b"})});
  EXPECT_EQ(parse(json)->fingerprint(), tokenizer->fingerprint());
  EXPECT_EQ(parse(json, {.end_of_text = "<think>", .begin_of_text = ""})->end_of_text(), 258);
}

TEST(TokenizerFormats, HolesInTheNumbersAreNoTokens) {
  Json json = small_json();
  json["model"]["vocab"]["<|endoftext|>"] = 300;
  const auto tokenizer = parse(json);
  EXPECT_EQ(tokenizer->vocab_size(), 302);
  EXPECT_EQ(tokenizer->decode(std::vector<Token>{299, 'a', 300}), "a<|endoftext|>");
}

TEST(TokenizerFormats, EveryShapeIsWrittenAndReadAgain) {
  const auto split = [](const char* regex, const char* behavior, bool invert) {
    return Json{
        {"type", "Split"}, {"pattern", {{"Regex", regex}}}, {"behavior", behavior}, {"invert", invert}};
  };
  const auto sequence = [](const Json& first, bool use_regex) {
    return Json{{"type", "Sequence"},
                {"pretokenizers",
                 {first, {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", use_regex}}}}};
  };
  const std::string cl100k = make_split_pattern("cl100k")->regex();
  for (const Json& pre_tokenizer :
       {Json{{"type", "ByteLevel"}, {"add_prefix_space", false}},
        Json{{"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", false}},
        sequence(split(cl100k.c_str(), "Isolated", false), false),
        sequence(split(cl100k.c_str(), "Removed", true), false),
        sequence(split("a+|b+", "Isolated", false), false),
        sequence(Json{{"type", "Digits"}, {"individual_digits", true}}, true),
        sequence(Json{{"type", "Digits"}, {"individual_digits", false}}, true)}) {
    Json json = small_json();
    json["pre_tokenizer"] = pre_tokenizer;
    json["normalizer"] = {{"type", "NFC"}};
    json["model"]["ignore_merges"] = true;
    const auto first = parse(json);
    const std::string written = first->files().front().contents;
    const auto second = parse_tokenizer_json(written, {}, "t.json");
    EXPECT_EQ(second->files().front().contents, written) << pre_tokenizer.dump();
    EXPECT_EQ(second->encode("ab 12  ab<think>e\xcc\x81"), first->encode("ab 12  ab<think>e\xcc\x81"));
  }
}

TEST(TokenizerFormats, DirectoriesAreLoadedAndStayTheSame) {
  const TempDirectory directory;
  const auto gpt2 = open_tokenizer("gpt2");
  for (const TokenizerFile& file : gpt2->files()) write_file(directory / file.name, file.contents);
  EXPECT_EQ(load_tokenizer(directory.path())->fingerprint(), gpt2->fingerprint());
  EXPECT_EQ(load_tokenizer(directory / "tokenizer.json")->end_of_text(), 50256);
  std::filesystem::remove(directory / "tokenizer.json");
  EXPECT_EQ(load_tokenizer(directory.path())->fingerprint(), gpt2->fingerprint());
  expect_error([] { open_tokenizer("/nonexistent"); }, "there is no tokenizer '/nonexistent'");
}

TEST(TokenizerFormats, SpecialNamesAreStringsOrObjects) {
  const SpecialNames names =
      parse_special_names(R"({"eos_token":{"content":"<e>","lstrip":false},"bos_token":"<b>"})", "t");
  EXPECT_EQ(names.end_of_text, "<e>");
  EXPECT_EQ(names.begin_of_text, "<b>");
  EXPECT_EQ(parse_special_names(R"({"eos_token":null})", "t").end_of_text, "");
  expect_error([] { parse_special_names(R"({"eos_token":5})", "t.json"); }, "t.json:");
  expect_error([] { parse_special_names("[]", "t.json"); }, "t.json:");
}

TEST(TokenizerFormats, RefusesTokenizerJsonThatItCannotFollow) {
  const std::vector<std::pair<std::function<void(Json&)>, std::string>> cases = {
      {[](Json& j) { j["model"]["type"] = "Unigram"; }, "pre-tokenizer \"ByteLevel\" is not supported"},
      {[](Json& j) { j["model"]["byte_fallback"] = true; }, "pre-tokenizer \"ByteLevel\" is not supported"},
      {[](Json& j) { j["model"]["dropout"] = 0.1; }, "dropout"},
      {[](Json& j) { j["model"]["end_of_word_suffix"] = "</w>"; }, "\"end_of_word_suffix\""},
      {[](Json& j) { j["model"]["merges"] = {"a b c"}; }, "merge 0 is \"a b c\""},
      {[](Json& j) { j["model"]["merges"] = {"a zz"}; }, "merge 0 needs token \"zz\""},
      {[](Json& j) { j["model"]["merges"] = {"a c"}; }, "merge 0 needs token \"ac\""},
      {[](Json& j) { j["model"]["merges"] = {"a b", "a b"}; }, "merge 1 joins the same"},
      {[](Json& j) { j["model"]["merges"] = {Json::array({"a"})}; }, "a merge must be"},
      {[](Json& j) { j["model"]["merges"] = 5; }, "\"merges\" must be a list"},
      {[](Json& j) { j["model"]["vocab"]["ab"] = 4000000000U; }, "has the number 4000000000"},
      {[](Json& j) { j["model"]["vocab"]["ab"] = -1; }, "has the number \"-1\""},
      {[](Json& j) { j["model"]["vocab"]["ab"] = 97; }, "two tokens have the number 97"},
      {[](Json& j) { j["model"]["vocab"].erase("a"); }, "two tokens have the number 256"},
      {[](Json& j) { j["model"]["vocab"] = Json::object(); }, "merge 0 needs token \"a\""},
      {[](Json& j) { j["model"]["vocab"]["a c"] = 257; }, "is not a byte-level string"},
      {[](Json& j) { j["model"]["vocab"] = Json::array(); }, "must be a JSON object"},
      {[](Json& j) { j["added_tokens"][0]["id"] = UINT64_MAX; }, "\"id\""},
      {[](Json& j) { j["added_tokens"][0]["lstrip"] = 1; }, "\"lstrip\" must be true or false"},
      {[](Json& j) { j["added_tokens"] = 5; }, "\"added_tokens\" must be a list"},
      {[](Json& j) { j["normalizer"] = {{"type", "Lowercase"}}; }, "normalizer \"Lowercase\""},
      {[](Json& j) { j["pre_tokenizer"]["add_prefix_space"] = true; }, "\"add_prefix_space\""},
      {[](Json& j) { j["pre_tokenizer"] = {{"type", "Metaspace"}}; }, "pre-tokenizers [Metaspace]"},
      {[](Json& j) { j["pre_tokenizer"] = nullptr; }, "it has no pre-tokenizer"},
      {[](Json& j) { j["decoder"] = {{"type", "Metaspace"}}; },
       "pre-tokenizer \"ByteLevel\" is not supported"},
      {[](Json& j) { j.erase("model"); }, "\"model\" is missing"},
      {[](Json& j) { j = Json::array(); }, "expected a JSON object"},
  };
  for (const auto& [change, part] : cases) {
    Json json = small_json();
    change(json);
    EXPECT_TRUE(expect_error([&] { parse(json); }, part).starts_with("t.json:"));
  }
  const std::string whole = small_json().dump();
  for (std::size_t size = 0; size < whole.size(); size += 97) {
    expect_error([&] { parse_tokenizer_json(whole.substr(0, size), {}, "t.json"); }, "t.json: invalid JSON");
  }
  expect_error([] { parse_tokenizer_json(std::string(100000, '['), {}, "t.json"); }, "nested deeper");
}

TEST(TokenizerFormats, VocabAndMergesAreChecked) {
  const std::string vocab = small_json()["model"]["vocab"].dump();
  EXPECT_EQ(parse_vocab_and_merges(vocab, "#version: 0.2\na b\n", {}, "d")->encode("ab"),
            (std::vector<Token>{256}));
  EXPECT_EQ(parse_vocab_and_merges(vocab, "a b\r\n\r\n", {}, "d")->encode("ab"), (std::vector<Token>{256}));
  expect_error([&] { parse_vocab_and_merges(vocab, "a", {}, "d"); }, "d: merge 0 is \"a\"");
  expect_error([&] { parse_vocab_and_merges(vocab, "a \xff", {}, "d"); }, "d: merge 0 needs token");
  expect_error([&] { parse_vocab_and_merges("{}", "", {}, "d"); }, "d: the vocabulary is empty");
}

std::string small_ranks() {
  constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (unsigned byte = 0; byte < 256; ++byte) {
    out += vkgpt::format("{}{}== {}\n", kDigits[byte >> 2U], kDigits[(byte & 3U) << 4U], byte);
  }
  return out + "YWI= 256\nYWJj 257\n";  // ab, abc
}

TEST(TokenizerFormats, TiktokenRanksAreRead) {
  const auto tokenizer = parse_tiktoken(small_ranks(), "small_cl100k.tiktoken", "r");
  EXPECT_EQ(tokenizer->vocab_size(), 259);
  EXPECT_EQ(tokenizer->encode("abcab"), (std::vector<Token>{257, 256}));
  EXPECT_EQ(tokenizer->end_of_text(), 258);
  EXPECT_EQ(tokenizer->split().regex(), make_split_pattern("cl100k")->regex());
  EXPECT_EQ(parse_tiktoken(small_ranks() + "eHl6 259\n", "r50k", "r")->vocab_size(), 261);
}

TEST(TokenizerFormats, RefusesBrokenRanks) {
  const auto refuse = [](const std::string& ranks, const std::string& name, const std::string& part) {
    EXPECT_TRUE(expect_error([&] { parse_tiktoken(ranks, name, "r"); }, part).starts_with("r: "));
  };
  refuse("", "r50k", "it has no ranks");
  refuse("\n\n", "r50k", "it has no ranks");
  refuse("YWI 0\n", "r50k", "line 1 does not begin with base64");
  refuse("Y*I= 0\n", "r50k", "line 1 does not begin with base64");
  refuse("YWI= x\n", "r50k", "has the rank 'x'");
  refuse("YWI=\n", "r50k", "has the rank ''");
  refuse("YWI= 4000000000\n", "r50k", "has the rank '4000000000'");
  refuse("YWI= 99999999999999999999999\n", "r50k", "has the rank");
  refuse("YWI= 0\nYWI= 0\n", "r50k", "line 2 repeats rank 0");
  expect_error([] { parse_tiktoken("YWI= 0\n", "r50k", "r")->encode("a"); }, "no token for 'a' (byte 0x61)");
  refuse(small_ranks() + "YWI= 258\n", "r50k", "ranks 256 and 258 are both the token 'ab'");
  refuse(small_ranks(), "other", "258 ranks belong to no encoding");
}

}  // namespace
}  // namespace vkgpt::text
