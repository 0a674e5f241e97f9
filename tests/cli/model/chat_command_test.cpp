// `vkgpt chat` at a terminal and on a pipe.

#include <algorithm>
#include <csignal>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/run_vkgpt.hpp"
#include "support/temp_directory.hpp"
#include "support/terminal.hpp"

namespace vkgpt::cli {
namespace {

using test::Terminal;
using testing::HasSubstr;

class GpuChatCommand : public testing::Test {
 protected:
  /// A run of one step on a text, whose characters are the model's.
  std::string model_of(const std::string& name, const std::string& text) const {
    std::string data;
    for (int i = 0; i < 100; ++i) data += text;
    write_file(directory_ / "text.txt", data);
    const std::string out = (directory_ / name).string();
    const RunResult trained = run_vkgpt({"train",
                                         "--data_path",
                                         (directory_ / "text.txt").string(),
                                         "--tokenizer",
                                         "char",
                                         "--out_dir",
                                         out,
                                         "--n_layer",
                                         "1",
                                         "--n_head",
                                         "2",
                                         "--n_embd",
                                         "32",
                                         "--block_size",
                                         "96",
                                         "--batch_size",
                                         "2",
                                         "--max_steps",
                                         "1",
                                         "--eval_iters",
                                         "1",
                                         "--warmup_steps",
                                         "0",
                                         "--sample_interval",
                                         "0"});
    EXPECT_EQ(trained.code, 0) << trained.err;
    return out;
  }
  std::string talker() const { return model_of("talker", "User: hello there\nAssistant: yes\n"); }

  TempDirectory directory_;
};

TEST_F(GpuChatCommand, EndsAtThePromptAfterASignal) {
  const std::string model = talker();
  for (const int signal : {SIGINT, SIGTERM}) {
    Terminal chat({"chat", "--model", model, "--max_new_tokens", "4"});
    EXPECT_THAT(chat.read_until("> "), HasSubstr("> "));
    chat.send("hello\n");
    EXPECT_THAT(chat.read_until("> "), HasSubstr("> ")) << "it answers first";
    chat.signal(signal);
    EXPECT_THAT(chat.read_until("finishing"), HasSubstr("interrupted"));
    EXPECT_EQ(chat.wait(), 130) << signal;
  }
}

TEST_F(GpuChatCommand, TakesLinesThatComeTogetherAndTheLastWithoutItsEnd) {
  const std::vector<std::string> args = {"chat", "--model", talker(), "--max_new_tokens", "4"};
  const RunResult result = run_vkgpt(args, {}, "hello\n\nthere\nyes");
  EXPECT_EQ(result.code, 0) << result.err;
  EXPECT_GE(std::ranges::count(result.out, '\n'), 3);
  Terminal chat(args);
  chat.read_until("> ");
  chat.send("hello\nthere\n/quit\n");
  EXPECT_EQ(chat.wait(std::chrono::seconds(60)), 0);
}

TEST_F(GpuChatCommand, GoesOnAfterACharacterThatTheModelDoesNotKnow) {
  const std::vector<std::string> args = {"chat", "--model", talker(), "--max_new_tokens", "4"};
  const RunResult result = run_vkgpt(args, {}, "2 hello\nthere\n");
  EXPECT_EQ(result.code, 1);
  EXPECT_THAT(result.err, HasSubstr("error: character '2'"));
  EXPECT_EQ(result.out, run_vkgpt(args, {}, "there\n").out) << "the turn is dropped";
  Terminal chat(args);
  chat.read_until("> ");
  chat.send("2\n");
  EXPECT_THAT(chat.read_until("> "), HasSubstr("error"));
  chat.send("/quit\n");
  EXPECT_EQ(chat.wait(), 0) << "the user saw it";
}

}  // namespace
}  // namespace vkgpt::cli
