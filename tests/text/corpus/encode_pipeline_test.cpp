#include "text/corpus/encode_pipeline.hpp"

#include <atomic>
#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "support/expect_error.hpp"

namespace vkgpt::text {
namespace {

/// Bytes as tokens; slow for some of them, so that later jobs are done before earlier ones.
class SlowBytes final : public Tokenizer {
 public:
  std::int64_t vocab_size() const override { return 257; }
  void append_tokens(std::string_view text, std::vector<Token>& out) const override {
    if (text.starts_with("!")) fail("it has a '!'");
    if (text.starts_with("0")) std::this_thread::sleep_for(std::chrono::milliseconds(2));
    for (const char c : text) out.push_back(static_cast<unsigned char>(c));
  }
  std::string decode(std::span<const Token> tokens) const override { return {tokens.begin(), tokens.end()}; }
  std::optional<Token> end_of_text() const override { return 256; }
  std::size_t safe_prefix(std::string_view text) const override { return text.size(); }
  std::vector<TokenizerFile> own_files() const override { return {{kTokenizerFile, "{}"}}; }
};

EncodePipeline::Next texts(int count, std::atomic<int>& read, int bad = -1) {
  return [count, bad, &read]() -> std::optional<EncodeJob> {
    if (read == count) return std::nullopt;
    const int i = read++;
    EncodeJob job;
    job.parts.push_back({.text = (i == bad ? "!" : "") + std::to_string(i % 7) + std::to_string(i),
                         .split = i % 3 == 0 ? kValidationSplit : kTrainSplit,
                         .ends_document = i % 2 == 0});
    job.offset = static_cast<std::uint64_t>(i);
    job.place = "job " + std::to_string(i);
    return job;
  };
}

TEST(EncodePipeline, KeepsTheOrderAndFewJobs) {
  const SlowBytes tokenizer;
  std::atomic<int> read = 0;
  EncodePipeline pipeline(tokenizer, texts(500, read), 3);
  for (int i = 0; i < 500; ++i) {
    const auto job = pipeline.take();
    ASSERT_TRUE(job);
    EXPECT_EQ(job->offset, static_cast<std::uint64_t>(i));
    EXPECT_LE(read, i + 10);
    std::vector<Token> tokens = job->tokens[i % 3 == 0 ? kValidationSplit : kTrainSplit];
    EXPECT_TRUE(job->tokens[i % 3 == 0 ? kTrainSplit : kValidationSplit].empty());
    if (i % 2 == 0) {
      EXPECT_EQ(tokens.back(), 256);
      tokens.pop_back();
    }
    EXPECT_EQ(tokenizer.decode(tokens), std::to_string(i % 7) + std::to_string(i));
  }
  EXPECT_FALSE(pipeline.take());
  EXPECT_FALSE(pipeline.take());
}

TEST(EncodePipeline, ErrorsComeInTheirPlace) {
  const SlowBytes tokenizer;
  std::atomic<int> read = 0;
  EncodePipeline pipeline(tokenizer, texts(100, read, 20), 4);
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(pipeline.take());
  expect_error([&] { pipeline.take(); }, "job 20: it has a '!'");

  EncodePipeline broken(tokenizer, []() -> std::optional<EncodeJob> { fail("no disk"); }, 2);
  expect_error([&] { broken.take(); }, "no disk");
}

TEST(EncodePipeline, MayBeLeftInTheMiddle) {
  const SlowBytes tokenizer;
  std::atomic<int> read = 0;
  {
    EncodePipeline pipeline(tokenizer, texts(1'000'000, read), 2);
    EXPECT_TRUE(pipeline.take());
  }
  EXPECT_LT(read, 20);
}

}  // namespace
}  // namespace vkgpt::text
