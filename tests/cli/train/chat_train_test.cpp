// Fine-tuning on conversations, from the file to the samples.

#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "vkgpt/core/file.hpp"

#include "cli/run_vkgpt.hpp"
#include "support/temp_directory.hpp"

namespace vkgpt::cli {
namespace {

class GpuChatTrain : public testing::Test {
 protected:
  void SetUp() override {
    std::string all;
    for (int i = 0; i < 60; ++i) {
      all += R"({"messages": [{"role": "user", "content": "Say )" + std::to_string(i % 7) +
             R"("}, {"role": "assistant", "content": "It is )" + std::string(1 + i % 5, 'x') + "\"}]}\n";
    }
    write_file(file("chat.jsonl"), all);
  }

  std::string file(const std::string& name) const { return (directory_ / name).string(); }

  RunResult train(const std::string& data, const std::string& out, int steps,
                  std::vector<std::string> more = {}) const {
    std::vector<std::string> args = {"train",
                                     "--data_path",
                                     data,
                                     "--tokenizer",
                                     "byte",
                                     "--out_dir",
                                     out,
                                     "--n_layer",
                                     "1",
                                     "--n_head",
                                     "2",
                                     "--n_embd",
                                     "32",
                                     "--block_size",
                                     "64",
                                     "--batch_size",
                                     "2",
                                     "--max_steps",
                                     std::to_string(steps),
                                     "--eval_iters",
                                     "4",
                                     "--sample_interval",
                                     "4",
                                     "--sample_tokens",
                                     "5",
                                     "--learning_rate",
                                     "1e-2",
                                     "--warmup_steps",
                                     "1",
                                     "--lr_schedule",
                                     "constant"};
    args.insert(args.end(), more.begin(), more.end());
    return run_vkgpt(args);
  }

  std::string weights(const std::string& out, int step) const {
    return read_file(Path(out) / ("step-" + std::to_string(step)) / "model.safetensors");
  }

  TempDirectory directory_;
};

TEST_F(GpuChatTrain, LearnsResumesAndSamplesFromConversations) {
  const RunResult whole = train(file("chat.jsonl"), file("whole"), 8);
  ASSERT_EQ(whole.code, 0) << whole.err;
  EXPECT_NE(whole.err.find("60 conversations (messages)"), std::string::npos) << whole.err;
  const std::string sample = read_file(Path(file("whole")) / "samples" / "step-4.txt");
  EXPECT_TRUE(sample.starts_with("User: Say ")) << sample;
  EXPECT_NE(sample.find("\nAssistant:"), std::string::npos) << sample;

  ASSERT_EQ(train(file("chat.jsonl"), file("parts"), 4).code, 0);
  const RunResult rest = run_vkgpt({"train", "--out_dir", file("parts"), "--resume", "--max_steps", "8"});
  ASSERT_EQ(rest.code, 0) << rest.err;
  EXPECT_EQ(weights(file("parts"), 8), weights(file("whole"), 8)) << "bit for bit";
}

TEST_F(GpuChatTrain, ResumesWhatATemplateDatesOnAnotherDay) {
  ASSERT_EQ(train(file("chat.jsonl"), file("plain"), 1).code, 0);
  ASSERT_EQ(run_vkgpt({"export", "--model", file("plain"), "--out", file("dated")}).code, 0);
  // A second is a day here.
  write_file(Path(file("dated")) / "chat_template.jinja",
             "{{ strftime_now('%s') }}{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}");
  const std::vector<std::string> origin = {"--init_from", file("dated"), "--tokenizer", ""};
  ASSERT_EQ(train(file("chat.jsonl"), file("parts"), 2, origin).code, 0);
  std::this_thread::sleep_for(std::chrono::milliseconds(1100));
  const RunResult rest = run_vkgpt({"train", "--out_dir", file("parts"), "--resume", "--max_steps", "4"});
  ASSERT_EQ(rest.code, 0) << rest.err;
}

TEST_F(GpuChatTrain, ReadsTheSameFromPreparedShards) {
  const RunResult prepared = run_vkgpt(
      {"data", "prepare", file("chat.jsonl"), "--chat", "--tokenizer", "byte", "--out", file("tokens")});
  ASSERT_EQ(prepared.code, 0) << prepared.err;
  ASSERT_EQ(train(file("chat.jsonl"), file("a"), 2, {"--pack", "none"}).code, 0);
  const RunResult shards = train(file("tokens"), file("b"), 2, {"--pack", "none"});
  ASSERT_EQ(shards.code, 0) << shards.err;
  EXPECT_EQ(weights(file("a"), 2), weights(file("b"), 2));
}

TEST_F(GpuChatTrain, RefusesAndCountsWhatItCannotUse) {
  std::string all = read_file(file("chat.jsonl"));
  write_file(file("bad.jsonl"), all + "{\"messages\": [{\"role\": \"user\"\n");
  const RunResult refused = train(file("bad.jsonl"), file("refused"), 2);
  EXPECT_EQ(refused.code, 1);
  EXPECT_NE(refused.err.find("1 of 61 conversations cannot be used: 1 invalid JSON ("), std::string::npos)
      << refused.err;
  EXPECT_NE(refused.err.find("bad.jsonl: line 61"), std::string::npos) << refused.err;
  const RunResult skipped = train(file("bad.jsonl"), file("skipped"), 2, {"--bad_data", "skip"});
  EXPECT_EQ(skipped.code, 0);
  EXPECT_NE(skipped.err.find("1 of 61 conversations are passed over"), std::string::npos) << skipped.err;

  const RunResult cut = train(file("chat.jsonl"), file("cut"), 2, {"--block_size", "31"});
  EXPECT_EQ(cut.code, 0) << cut.err;
  EXPECT_NE(cut.err.find("are longer than 32 tokens and were cut"), std::string::npos) << cut.err;
  const RunResult error =
      train(file("chat.jsonl"), file("error"), 2, {"--block_size", "31", "--overlong", "error"});
  EXPECT_EQ(error.code, 1);
  EXPECT_NE(error.err.find("a window of --block_size 31 holds 32"), std::string::npos) << error.err;
  const RunResult dropped =
      train(file("chat.jsonl"), file("drop"), 2, {"--block_size", "31", "--overlong", "drop"});
  EXPECT_EQ(dropped.code, 0) << dropped.err;
  EXPECT_NE(dropped.err.find("were dropped"), std::string::npos) << dropped.err;
}

TEST_F(GpuChatTrain, AnswersQuestions) {
  ASSERT_EQ(train(file("chat.jsonl"), file("run"), 4).code, 0);
  std::string questions;
  for (int i = 0; i < 6; ++i) {
    questions += R"({"query": "User: Say )" + std::to_string(i) +
                 R"(\nAssistant:", "choices": ["It is x", "qqqqqqq"], "gold": 0})" + "\n";
  }
  write_file(file("task.jsonl"), questions);
  const std::vector<std::string> args = {
      "eval",  "--model", file("run"), "--task", file("task.jsonl"), "--results", file("results.jsonl"),
      "--json"};
  const RunResult first = run_vkgpt(args);
  ASSERT_EQ(first.code, 0) << first.err;
  const nlohmann::json record = nlohmann::json::parse(first.out);
  EXPECT_EQ(record["questions"], 6);
  EXPECT_GT(record["acc"], 0.5) << first.out;
  // Cut after three lines and a half, it asks the rest again.
  const std::string results = read_file(file("results.jsonl"));
  std::size_t end = 0;
  for (int i = 0; i < 3; ++i) end = results.find('\n', end) + 1;
  write_file(file("results.jsonl"), results.substr(0, end + 20));
  const RunResult second = run_vkgpt(args);
  EXPECT_NE(second.err.find("3 of 6 questions are answered already"), std::string::npos) << second.err;
  EXPECT_EQ(second.out, first.out);
  EXPECT_EQ(read_file(file("results.jsonl")), results);
  EXPECT_EQ(run_vkgpt({"eval", "--model", file("run"), "--task", file("none.jsonl")}).code, 1);
  EXPECT_EQ(run_vkgpt({"eval", "--model", file("run"), "--task", file("task.jsonl"), "--few_shot", "9"}).code,
            2);
}

}  // namespace
}  // namespace vkgpt::cli
