#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "vkgpt/core/json.hpp"
#include "vkgpt/text/tokenizer/open_tokenizer.hpp"

#include "support/expect_error.hpp"
#include "support/temp_directory.hpp"

namespace vkgpt::text {
namespace {

/// A directory with a tokenizer of the bytes "a" = 0 and "b" = 1, <s> = 2, </s> = 3.
class TextRulesTest : public ::testing::Test {
 protected:
  TextRulesTest() {
    json_ = {{"version", "1.0"},
             {"added_tokens",
              {{{"id", 2}, {"content", "<s>"}, {"special", true}},
               {{"id", 3}, {"content", "</s>"}, {"special", true}}}},
             {"normalizer", nullptr},
             {"pre_tokenizer", {{"type", "ByteLevel"}, {"add_prefix_space", false}}},
             {"decoder", {{"type", "ByteLevel"}}},
             {"model", {{"type", "BPE"}, {"vocab", {{"a", 0}, {"b", 1}}}, {"merges", Json::array()}}}};
  }
  void write(const char* name, const Json& json) { write_file(temp_ / name, json.dump()); }
  std::unique_ptr<Tokenizer> load() {
    write("tokenizer.json", json_);
    return load_tokenizer(temp_.path());
  }
  std::vector<Token> prompt() { return load()->encode_prompt("ab"); }

  Json json_;
  TempDirectory temp_;
};

TEST_F(TextRulesTest, PostProcessorsPutTokensAroundAPrompt) {
  EXPECT_EQ(prompt(), (std::vector<Token>{0, 1}));
  const Json special = [](const char* name, int id) {
    return Json{{"id", name}, {"ids", {id}}, {"tokens", {name}}};
  }("<s>", 2);
  const Json text = {{"Sequence", {{"id", "A"}, {"type_id", 0}}}};
  const Json begin = {{"SpecialToken", {{"id", "<s>"}, {"type_id", 0}}}};
  const Json templated = {
      {"type", "TemplateProcessing"}, {"single", {begin, text}}, {"special_tokens", {{"<s>", special}}}};
  json_["post_processor"] = templated;
  EXPECT_EQ(prompt(), (std::vector<Token>{2, 0, 1}));
  json_["post_processor"] = {{"type", "Sequence"}, {"processors", {{{"type", "ByteLevel"}}, templated}}};
  EXPECT_EQ(prompt(), (std::vector<Token>{2, 0, 1}));
  EXPECT_EQ(load()->encode("ab"), (std::vector<Token>{0, 1})) << "texts to train on have nothing around them";
  json_["post_processor"] = {{"type", "RobertaProcessing"}, {"cls", {"<s>", 2}}, {"sep", {"</s>", 3}}};
  EXPECT_EQ(prompt(), (std::vector<Token>{2, 0, 1, 3}));
  json_["post_processor"]["cls"][1] = 99;
  expect_error([&] { load(); }, "adds token 99 to a vocabulary of 4");
}

TEST_F(TextRulesTest, TheConfigurationReplacesThePostProcessor) {
  json_["post_processor"] = {{"type", "RobertaProcessing"}, {"cls", {"<s>", 2}}, {"sep", {"</s>", 3}}};
  write("tokenizer_config.json", {{"bos_token", "<s>"}, {"eos_token", "</s>"}, {"add_bos_token", false}});
  EXPECT_EQ(prompt(), (std::vector<Token>{0, 1}));
  write("tokenizer_config.json",
        {{"bos_token", "<s>"}, {"eos_token", "</s>"}, {"add_bos_token", true}, {"add_eos_token", true}});
  EXPECT_EQ(prompt(), (std::vector<Token>{2, 0, 1, 3}));
}

TEST_F(TextRulesTest, WhatTheDirectorySaysIsHandedOn) {
  write("tokenizer_config.json", {{"bos_token", "<s>"}, {"eos_token", "</s>"}, {"chat_template", "old"}});
  write("generation_config.json", {{"eos_token_id", {1, 3}}, {"pad_token_id", 0}, {"temperature", 0.5}});
  write_file(temp_ / "chat_template.jinja", "{{ new }}");
  const auto tokenizer = load();
  EXPECT_EQ(tokenizer->rules().chat_template, "{{ new }}");
  EXPECT_TRUE(tokenizer->ends_text(1) && tokenizer->ends_text(3) && !tokenizer->ends_text(0));
  EXPECT_EQ(tokenizer->token_ids(), (model::TokenIds{.begin = 2, .ends = {1, 3}, .pad = 0}));
  const TempDirectory copy;
  for (const TokenizerFile& file : tokenizer->files()) write_file(copy / file.name.c_str(), file.contents);
  for (const char* name :
       {"tokenizer.json", "tokenizer_config.json", "generation_config.json", "chat_template.jinja"}) {
    EXPECT_EQ(read_file(copy / name), read_file(temp_ / name)) << name;
  }
  EXPECT_EQ(load_tokenizer(copy.path())->fingerprint(), tokenizer->fingerprint());
}

TEST_F(TextRulesTest, AddedTokensStandBesideAVocabulary) {
  write("vocab.json", {{"a", 0}, {"b", 1}, {"ab", 2}});
  write_file(temp_ / "merges.txt", "a b\n");
  write("added_tokens.json", {{"<y>", 4}, {"<x>", 3}});
  auto tokenizer = load_tokenizer(temp_.path());
  EXPECT_EQ(tokenizer->encode("ab<x><y>"), (std::vector<Token>{2, 3, 4}));
  write("tokenizer_config.json",
        {{"added_tokens_decoder", {{"3", {{"content", "<z>"}, {"special", true}, {"lstrip", true}}}}}});
  tokenizer = load_tokenizer(temp_.path());
  EXPECT_EQ(tokenizer->encode_with_special("ab \n<z>b"), (std::vector<Token>{2, 3, 1}));
  EXPECT_EQ(tokenizer->vocab_size(), 4);
}

TEST_F(TextRulesTest, AByteWithoutATokenIsAnErrorOfTheText) {
  const auto tokenizer = load();
  EXPECT_EQ(tokenizer->encode("abba").size(), 4U);
  expect_error([&] { tokenizer->encode("abc"); }, "no token for 'c' (byte 0x63)");
  json_["model"]["unk_token"] = "b";
  EXPECT_EQ(load()->encode("accda"), (std::vector<Token>{0, 1, 1, 1, 0}));
  json_["model"]["fuse_unk"] = true;
  EXPECT_EQ(load()->encode("accda"), (std::vector<Token>{0, 1, 0}));
}

TEST_F(TextRulesTest, GitLfsPointersAreNamed) {
  write_file(temp_ / "tokenizer.json", "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n");
  expect_error([&] { load_tokenizer(temp_.path()); }, "is a Git LFS pointer");
}

}  // namespace
}  // namespace vkgpt::text
