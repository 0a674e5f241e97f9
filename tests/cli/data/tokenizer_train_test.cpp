#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "vkgpt/core/file.hpp"
#include "vkgpt/text/tokenizer/bpe_tokenizer.hpp"
#include "vkgpt/text/tokenizer/open_tokenizer.hpp"
#include "vkgpt/text/tokenizer/tokenizer.hpp"

#include "cli/run_vkgpt.hpp"
#include "support/temp_directory.hpp"

namespace vkgpt::cli {
namespace {

using testing::HasSubstr;

class TokenizerTrain : public testing::Test {
 protected:
  void SetUp() override {
    std::string text;
    for (int i = 0; i < 200; ++i) text += "the cat and the hat, " + std::to_string(i) + " of them\n";
    write_file(text_, text);
  }

  RunResult run(std::vector<std::string> args, const std::string& input = {}) {
    const std::vector<std::string> command = {"tokenizer", "train", "--out", out_.string()};
    args.insert(args.begin(), command.begin(), command.end());
    return run_vkgpt(args, {}, input);
  }

  TempDirectory directory_;
  Path text_ = directory_ / "text.txt";
  Path out_ = directory_ / "tokenizer";
};

TEST_F(TokenizerTrain, WritesATokenizerThatLoads) {
  const RunResult result =
      run({text_.string(), "--bpe_vocab_size", "280", "--special_tokens", "<|endoftext|>,<pad>"});
  ASSERT_EQ(result.code, 0) << result.err;
  EXPECT_EQ(result.out, out_.string() + "\n");
  for (const char* name : {"tokenizer.json", "tokenizer_config.json", "vocab.json", "merges.txt"})
    EXPECT_TRUE(std::filesystem::exists(out_ / name)) << name;
  const std::unique_ptr<text::Tokenizer> tokenizer = text::load_tokenizer(out_);
  EXPECT_EQ(tokenizer->vocab_size(), 280);
  EXPECT_EQ(tokenizer->special_token("<pad>"), text::Token{1});
  EXPECT_EQ(tokenizer->end_of_text(), text::Token{0});
  const std::string text = read_file(text_);
  const std::vector<text::Token> tokens = tokenizer->encode(text);
  EXPECT_EQ(tokenizer->decode(tokens), text);
  EXPECT_LT(tokens.size() * 2, text.size());
}

TEST_F(TokenizerTrain, ThreadsAndStandardInputMakeNoDifference) {
  ASSERT_EQ(run({text_.string(), "--bpe_vocab_size=290", "--threads=1"}).code, 0);
  const std::string first = read_file(out_ / "tokenizer.json");
  EXPECT_THAT(run({text_.string()}).err, HasSubstr("has a tokenizer"));
  ASSERT_EQ(run({"-", "--bpe_vocab_size=290", "--threads=3", "--overwrite"}, read_file(text_)).code, 0);
  EXPECT_EQ(read_file(out_ / "tokenizer.json"), first);
}

TEST_F(TokenizerTrain, SaysWhereTheTextHasTooFewPairs) {
  const RunResult result = run({text_.string(), "--bpe_vocab_size=5000"});
  EXPECT_EQ(result.code, 0);
  EXPECT_THAT(result.err, HasSubstr("the text has no more pairs that occur 2 times: "));
}

TEST_F(TokenizerTrain, CharactersAndBytes) {
  write_file(directory_ / "utf8.txt", "äbc äb 日");
  ASSERT_EQ(run({(directory_ / "utf8.txt").string(), "--type=char"}).code, 0);
  EXPECT_EQ(text::load_tokenizer(out_)->vocab_size(), 5);
  ASSERT_EQ(run({"--type=byte", "--overwrite"}).code, 0);
  EXPECT_EQ(text::load_tokenizer(out_)->vocab_size(), 257);
  write_file(directory_ / "latin1.txt", "\xe4");
  EXPECT_THAT(run({(directory_ / "latin1.txt").string(), "--type=char", "--overwrite"}).err,
              HasSubstr("not UTF-8"));
}

TEST_F(TokenizerTrain, RefusesWhatCannotBe) {
  const auto refuse = [&](const std::vector<std::string>& args, int code, const std::string& part) {
    const RunResult result = run(args);
    EXPECT_EQ(result.code, code) << result.err;
    EXPECT_THAT(result.err, HasSubstr(part));
    EXPECT_EQ(std::ranges::count(result.err, '\n'), 1) << result.err;
    EXPECT_FALSE(std::filesystem::exists(out_));
  };
  refuse({}, 2, "INPUT");
  refuse({"--type=byte", text_.string()}, 2, "takes no text");
  refuse({text_.string(), "--bpe_vocab_size=256"}, 2, "too small");
  refuse({text_.string(), "--special_tokens=a,,b"}, 2, "no name");
  refuse({text_.string(), "--split_pattern=words"}, 2, "split_pattern");
  refuse({(directory_ / "nowhere.txt").string()}, 1, "nowhere.txt");
}

}  // namespace
}  // namespace vkgpt::cli
