// `vkgpt chat` at a terminal and on a pipe, and `vkgpt serve` where there is no chat.

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/run_vkgpt.hpp"
#include "serve/test_client.hpp"
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

TEST_F(GpuChatCommand, SaysThatTheTemplateDoesNotFit) {
  const std::string model = model_of("letters", "the quick brown fox; ");
  const RunResult refused = run_vkgpt({"chat", "--model", model}, {}, "fox\n");
  EXPECT_EQ(refused.code, 1);
  EXPECT_THAT(refused.err, HasSubstr("the chat template does not fit the model's tokenizer: "));
  EXPECT_THAT(refused.err, HasSubstr("--user_prefix"));
  const RunResult own = run_vkgpt({"chat", "--model", model, "--user_prefix", "the ", "--reply_prefix",
                                   "fox ", "--turn_end", "; ", "--max_new_tokens", "4"},
                                  {}, "fox\n");
  EXPECT_EQ(own.code, 0) << own.err;
}

TEST_F(GpuChatCommand, ServesCompletionsWhereTheTemplateDoesNotFit) {
  Terminal server({"serve", "--model", model_of("letters", "the quick brown fox; "), "--port", "0"});
  const std::string said = server.read_until("; chat there");
  EXPECT_THAT(said, HasSubstr("chat requests will be refused: the chat template does not fit"));
  constexpr std::string_view kAddress = "127.0.0.1:";
  const std::size_t at = said.find(kAddress);
  ASSERT_NE(at, std::string::npos) << said;
  const auto port = static_cast<std::uint16_t>(std::atoi(said.c_str() + at + kAddress.size()));
  EXPECT_EQ(test::status_of(
                test::ask(port, test::http_post("/v1/completions", R"({"prompt": "the", "max_tokens": 3})"))),
            200);
  const std::string refused = test::ask(
      port, test::http_post("/v1/chat/completions", R"({"messages": [{"role": "user", "content": "fox"}]})"));
  EXPECT_EQ(test::status_of(refused), 400);
  EXPECT_THAT(refused, HasSubstr("the chat template does not fit"));
  server.signal(SIGINT);
  EXPECT_EQ(server.wait(), 0);
}

}  // namespace
}  // namespace vkgpt::cli
