#include "vkgpt/text/corpus/chat_data.hpp"

#include <gtest/gtest.h>

#include "vkgpt/text/corpus/prepare.hpp"
#include "vkgpt/text/tokenizer/open_tokenizer.hpp"

#include "support/expect_error.hpp"
#include "support/temp_directory.hpp"

namespace vkgpt::text {
namespace {

class ChatDataTest : public testing::Test {
 protected:
  Path file(const std::string& name, const std::string& contents) const {
    write_file(directory_ / name, contents);
    return directory_ / name;
  }
  ChatData read(const Path& path, const ChatDataConfig& config) const {
    return read_chat_data({&path, 1}, *tokenizer_, config);
  }
  static std::string turn(int number) {
    return R"({"messages": [{"role": "user", "content": "Say )" + std::to_string(number) +
           R"("}, {"role": "assistant", "content": "It is )" + std::to_string(number) + "\"}]}\n";
  }

  TempDirectory directory_{TempDirectory::in_memory()};
  std::unique_ptr<Tokenizer> tokenizer_ = open_tokenizer("byte");
};

TEST_F(ChatDataTest, IsDetected) {
  EXPECT_TRUE(holds_conversations(file("a.jsonl", turn(1))));
  EXPECT_TRUE(holds_conversations(file("b.jsonl", "{\"messages\": [tru\n" + turn(1))));
  EXPECT_TRUE(
      holds_conversations(file("c.json", R"([ {"instruction": "a {", "input": "", "output": "}"} ])")));
  EXPECT_FALSE(holds_conversations(file("d.jsonl", R"({"text": "a"})")));
  EXPECT_FALSE(holds_conversations(file("e.txt", turn(1))));
  EXPECT_FALSE(holds_conversations(file("f.jsonl", "")));
}

TEST_F(ChatDataTest, LearnsWhatAssistantsSay) {
  const ChatData data = read(file("a.jsonl", turn(7)), {.val_fraction = 0});
  EXPECT_EQ(data.counts.text(), "1 conversations (messages)");
  ASSERT_EQ(data.splits[0].documents.spans.size(), 1U);
  std::vector<Token> learned;
  for (std::size_t i = 0; i < data.splits[0].tokens.size(); ++i) {
    if (data.splits[0].documents.counted[i]) learned.push_back(data.splits[0].tokens[i]);
  }
  EXPECT_EQ(tokenizer_->decode(learned), "It is 7\n") << "the reply and what ends it";
}

TEST_F(ChatDataTest, HoldsConversationsOut) {
  std::string all;
  for (int i = 0; i < 200; ++i) all += turn(i);
  const ChatData data = read(file("a.jsonl", all), {.val_fraction = 0.2});
  const std::size_t held = data.splits[1].documents.spans.size();
  EXPECT_EQ(data.splits[0].documents.spans.size() + held, 200U);
  EXPECT_NEAR(static_cast<double>(held), 40, 20);
  EXPECT_EQ(read(directory_ / "a.jsonl", {.val_fraction = 0.2}).splits[1].tokens, data.splits[1].tokens);
}

TEST_F(ChatDataTest, CountsAndNamesWhatItCannotUse) {
  const std::string all = turn(1) + "{\"messages\": [\n" + turn(2) +
                          R"({"messages": [{"role": "user", "content": "a"}]})" + "\n" +
                          R"({"instruction": "a", "output": ""})" + "\n\n" + R"({"other": 1})" + "\n";
  const Path path = file("a.jsonl", all);
  expect_error([&] { read(path, {}); }, "4 of 6 conversations cannot be used: 1 invalid JSON (");
  expect_error([&] { read(path, {}); }, "a.jsonl: line 2: ");
  expect_error([&] { read(path, {}); }, "1 roles out of order (");
  expect_error([&] { read(path, {}); }, "a.jsonl: line 5: an assistant says nothing");
  expect_error([&] { read(path, {}); }, "--bad_data skip");
  const ChatData data = read(path, {.val_fraction = 0, .skip_bad = true});
  EXPECT_EQ(data.counts.bad_count(), 4U);
  EXPECT_EQ(data.counts.conversations, 2U);
  expect_error([&] { read(file("b.jsonl", "{\"messages\": [\n"), {.skip_bad = true}); },
               "1 of 1 conversations cannot");
}

TEST_F(ChatDataTest, ComesBackFromShardsWithTheirMarks) {
  std::string all;
  for (int i = 0; i < 30; ++i) all += turn(i);
  const Path path = file("a.jsonl", all);
  PrepareConfig config;
  config.out = (directory_ / "data").string();
  config.tokenizer = "byte";
  config.shard_tokens = 100;
  config.val_fraction = 0.2;
  const PrepareResult result = prepare_chat_dataset(config, {&path, 1}, *tokenizer_);
  EXPECT_GT(result.manifest.splits[0].shards.size(), 3U);
  const ChatData data = read(path, {.val_fraction = 0.2});
  const Corpus corpus = Corpus::open_dataset(config.out, *load_tokenizer(config.out));
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(corpus.documents(i).spans, data.splits[i].documents.spans);
    EXPECT_EQ(corpus.documents(i).counted, data.splits[i].documents.counted);
  }
  EXPECT_TRUE(corpus.has_replies());
  EXPECT_TRUE(prepare_chat_dataset(config, {&path, 1}, *tokenizer_).was_there);

  const Path marks = directory_ / "data" / "train_000001.marks";
  std::string bytes = read_file(marks);
  bytes[20] = 9;
  write_file(marks, bytes);
  expect_error([&] { Corpus::open_dataset(config.out, *tokenizer_); }, "the mark of token 8 is 9");
  write_file(marks, bytes.substr(0, 50));
  expect_error([&] { Corpus::open_dataset(config.out, *tokenizer_); },
               "has the marks of 38 tokens, its shard has 100");
}

}  // namespace
}  // namespace vkgpt::text
