#include "vkgpt/text/corpus/corpus.hpp"

#include <filesystem>
#include <numeric>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "vkgpt/core/error.hpp"
#include "vkgpt/text/tokenizer/char_tokenizer.hpp"

#include "support/expect_error.hpp"
#include "support/temp_directory.hpp"

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

TEST_F(CorpusFile, ReadsJsonLinesAndGzip) {
  write_file(directory_ / "a.jsonl", "{\"text\": \"one\"}\n{\"text\": \"two\\n\"}\n");
  EXPECT_EQ(read_text(directory_ / "a.jsonl"), "one\ntwo\n");
  // printf 'hello hello\n' | gzip -n9
  constexpr unsigned char kPacked[] = {0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x03,
                                       0xcb, 0x48, 0xcd, 0xc9, 0xc9, 0x57, 0xc8, 0x00, 0x91, 0x5c,
                                       0x00, 0xa5, 0x6a, 0x0a, 0x44, 0x0c, 0x00, 0x00, 0x00};
  const std::string packed(reinterpret_cast<const char*>(kPacked), sizeof(kPacked));
  write_file(directory_ / "a.txt.gz", packed + packed);
  EXPECT_EQ(read_text(directory_ / "a.txt.gz"), "hello hello\nhello hello\n");
  EXPECT_NE(refusal(packed.substr(0, 20)).find("damaged or cut off"), std::string::npos);
}

TEST_F(CorpusFile, NamesWhatIsNoText) {
  using namespace std::string_literals;
  EXPECT_NE(refusal("PAR1\x15\x04"s).find("a Parquet file"), std::string::npos);
  EXPECT_NE(refusal("\xff\xfeh\0i\0"s).find("UTF-16"), std::string::npos);
  EXPECT_NE(refusal("\x28\xb5\x2f\xfd\x04"s).find("damaged or cut off"), std::string::npos);
}

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

std::vector<Token> tokens_of(const TokenView& view) {
  std::vector<Token> tokens(view.size());
  view.copy(0, tokens);
  return tokens;
}

TEST(Corpus, EncodesBothPartsAndChecksTheirLength) {
  const std::string text = "abcdefghij";
  const auto tokenizer = CharTokenizer::from_text(text, "t");
  const Corpus corpus = Corpus::encode(text, tokenizer, 0.3, "t");
  EXPECT_EQ(tokenizer.decode(tokens_of(corpus.train())), "abcdefg");
  EXPECT_EQ(tokenizer.decode(tokens_of(corpus.validation())), "hij");
  EXPECT_EQ(Corpus::encode(text, tokenizer, 0, "t").train().size(), 10U);
  corpus.check_length(2, "t");

  expect_error(
      [&] { corpus.check_length(3, "a.txt"); },
      "a.txt: the validation part has 3 tokens, block_size 3 needs at least 4: use a longer text or a "
      "smaller --block_size");
  expect_error([&] { corpus.check_length(7, "a.txt"); }, "a.txt: the training part has 7 tokens");
  try {
    corpus.check_length(7, "a.txt");
  } catch (const Error& error) {
    EXPECT_EQ(error.exit_code(), ExitCode::kUsage) << "a smaller --block_size is all that is needed";
  }
}

TEST(Corpus, LongTextsAreEncodedInPiecesThatMakeUpTheWhole) {
  std::string text;
  for (int i = 0; text.size() < 5'000'000; ++i)
    text += std::to_string(i) + (i % 2 == 0 ? "\xe2\x82\xac" : "\n");
  const auto tokenizer = CharTokenizer::from_text(text, "t");
  const Corpus corpus = Corpus::encode(text, tokenizer, 0.1, "t");
  const TextSplit split = split_text(text, 0.1);
  EXPECT_TRUE(tokens_of(corpus.train()) == tokenizer.encode(split.train));
  EXPECT_TRUE(tokens_of(corpus.validation()) == tokenizer.encode(split.validation));
  expect_error([&] { Corpus::encode(text + "!", tokenizer, 0, "a.txt"); }, "a.txt, from byte 4");
}

class Shards : public testing::Test {
 protected:
  /// Tokens [begin, end).
  Path shard(const std::string& name, int begin, int end, int bytes = 2) {
    std::vector<Token> tokens(static_cast<std::size_t>(end - begin));
    std::iota(tokens.begin(), tokens.end(), begin);
    TokenFileWriter writer(directory_ / name, bytes);
    writer.append(tokens);
    writer.finish();
    return directory_ / name;
  }
  std::string all() const { return directory_.path().string(); }

  TempDirectory directory_;
};

TEST_F(Shards, NamesDecideTheSplit) {
  shard("x_train_000001.bin", 0, 10);
  shard("x_train_000002.bin", 10, 15, 4);
  shard("x_val_000000.bin", 50, 60);
  shard("x_test_000000.bin", 70, 80);
  write_file(directory_ / "README.md", "no shard");
  const Corpus corpus = Corpus::open_shards(all(), 100, 0.5);
  EXPECT_EQ(corpus.train().size(), 15U);
  EXPECT_EQ(tokens_of(corpus.validation()),
            tokens_of(Corpus::open_shards(all() + "/x_val*.bin", 100, 0).validation()));
  shard("latest_retrieval.bin", 80, 100);
  EXPECT_EQ(Corpus::open_shards(all(), 100, 0.5).train().size(), 35U) << "parts of words are no names";
  // A window across the border of two shards.
  std::vector<Token> window(4);
  corpus.train().copy(8, window);
  EXPECT_EQ(window, (std::vector<Token>{8, 9, 10, 11}));
  corpus.train().subview(9, 5).copy(0, window);
  EXPECT_EQ(window, (std::vector<Token>{9, 10, 11, 12}));
}

TEST_F(Shards, WithoutAValidationFileTheEndIsForValidation) {
  shard("a.bin", 0, 10);
  shard("b.bin", 10, 20);
  const auto both = [&](double fraction) {
    const Corpus corpus = Corpus::open_shards(all() + "/*.bin", 100, fraction);
    std::vector<Token> tokens = tokens_of(corpus.train());
    EXPECT_EQ(corpus.validation().size(), 20 - tokens.size());
    const std::vector<Token> validation = tokens_of(corpus.validation());
    tokens.insert(tokens.end(), validation.begin(), validation.end());
    std::vector<Token> expected(20);
    std::iota(expected.begin(), expected.end(), 0);
    EXPECT_EQ(tokens, expected);
    return corpus.train().size();
  };
  EXPECT_EQ(both(0.25), 15U);
  EXPECT_EQ(both(0.75), 5U);
  EXPECT_EQ(both(0.5), 10U);
  EXPECT_EQ(both(0), 20U);
}

TEST_F(Shards, TokensBeyondTheVocabularyAreRefusedWithTheirPlace) {
  shard("a.bin", 0, 20);
  expect_error([&] { Corpus::open_shards((directory_ / "a.bin").string(), 19, 0); },
               "a.bin: token 19 at position 19 is not below the vocabulary's 19");
  expect_error([&] { Corpus::open_shards((directory_ / "a.bin").string(), 19, 0.5); }, "position 19");
  // In the middle of a long file it shows when it is read.
  std::vector<Token> tokens(100'000, 1);
  tokens[50'000] = 50257;
  {
    TokenFileWriter writer(directory_ / "b.bin", 4);
    writer.append(tokens);
    writer.finish();
  }
  const Corpus corpus = Corpus::open_shards((directory_ / "b.bin").string(), 50257, 0);
  std::vector<Token> window(10);
  corpus.train().copy(49'990, window);
  expect_error([&] { corpus.train().copy(49'991, window); },
               "b.bin: token 50257 at position 50000 is not below the vocabulary's 50257");
  write_file(directory_ / "big-endian.bin", std::string("\x00\x01\xd8\x88", 4));
  expect_error([&] { Corpus::open_shards((directory_ / "big-endian.bin").string(), 30000, 0); },
               "token 35032 at position 1");
  expect_error([&] { Corpus::open_shards((directory_ / "none*.bin").string(), 100, 0); }, "nothing matches");
}

TEST_F(Shards, SixteenBitsDoNotHoldAnyVocabulary) {
  write_file(directory_ / "raw.bin", std::string("\x01\x00\x02\x00", 4));
  const std::string raw = (directory_ / "raw.bin").string();
  EXPECT_EQ(Corpus::open_shards(raw, 65536, 0).train().size(), 2U);
  expect_error([&] { Corpus::open_shards(raw, 65537, 0); }, "too few for a vocabulary of 65537");
  EXPECT_EQ(Corpus::open_shards(shard("a.bin", 0, 20).string(), 65537, 0).train().size(), 20U);
}

}  // namespace
}  // namespace vkgpt::text
