#include "vkgpt/text/corpus.hpp"

#include <filesystem>
#include <string>

#include <gtest/gtest.h>

#include "vkgpt/core/error.hpp"
#include "vkgpt/text/char_tokenizer.hpp"

namespace vkgpt::text {
namespace {

class CorpusFile : public testing::Test {
 protected:
  void SetUp() override { std::filesystem::create_directories(directory_); }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  /// The message that reading a file with these contents gives.
  std::string refusal(const std::string& contents) {
    write_file(directory_ / "text", contents);
    return refusal_of(directory_ / "text");
  }
  std::string refusal_of(const Path& path, ExitCode code = ExitCode::kFailure) {
    try {
      read_text(path);
    } catch (const Error& error) {
      EXPECT_EQ(error.exit_code(), code);
      return error.what();
    }
    ADD_FAILURE() << "accepted";
    return {};
  }

  Path directory_ = std::filesystem::path(testing::TempDir()) / "corpus_test";
};

TEST_F(CorpusFile, ReadsUtf8) {
  write_file(directory_ / "text", "gr\xc3\xbc\xc3\x9f");
  EXPECT_EQ(read_text(directory_ / "text"), "gr\xc3\xbc\xc3\x9f");
}

TEST_F(CorpusFile, RefusesWhatIsNoText) {
  EXPECT_NE(refusal_of("", ExitCode::kUsage).find("--data_path"), std::string::npos);
  EXPECT_NE(refusal_of(directory_ / "missing").find("does not exist"), std::string::npos);
  EXPECT_NE(refusal_of(directory_).find("is a directory"), std::string::npos);
  EXPECT_NE(refusal("").find("is empty"), std::string::npos);
  EXPECT_NE(refusal("ab\xfe").find("invalid byte 0xfe at byte 2"), std::string::npos);
}

TEST(Corpus, SplitsAtACharacter) {
  const std::string text =
      "aaaaaaaa\xe2\x82\xac"
      "b";  // 12 bytes
  for (const double fraction : {0.1, 0.2, 0.25}) {
    const TextSplit split = split_text(text, fraction);
    EXPECT_EQ(std::string(split.train) + std::string(split.validation), text);
    EXPECT_EQ(split.train.size(), 8U) << fraction;
  }
  EXPECT_EQ(split_text(text, 0).train, text);
  EXPECT_EQ(split_text(text, 0).validation, "");
  EXPECT_EQ(split_text(std::string(1115394, 'a'), 0.1).train.size(), 1003854U);  // as nanoGPT splits it
}

TEST(Corpus, EncodesBothPartsAndChecksTheirLength) {
  const std::string text = "abcdefghij";
  const auto tokenizer = CharTokenizer::from_text(text, "t");
  const Corpus corpus = Corpus::encode(text, tokenizer, 0.3, 2, "t");
  EXPECT_EQ(tokenizer.decode(corpus.train), "abcdefg");
  EXPECT_EQ(tokenizer.decode(corpus.validation), "hij");
  EXPECT_EQ(Corpus::encode(text, tokenizer, 0, 9, "t").train.size(), 10U);

  const auto message = [&](double fraction, std::int64_t block_size) -> std::string {
    try {
      Corpus::encode(text, tokenizer, fraction, block_size, "a.txt");
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_EQ(message(0.3, 3),
            "a.txt: the validation part has 3 tokens, block_size 3 needs at least 4: use a longer text or a "
            "smaller "
            "--block_size");
  EXPECT_EQ(message(0.3, 7).substr(0, 41), "a.txt: the training part has 7 tokens, bl");
}

}  // namespace
}  // namespace vkgpt::text
