// The program as a user runs it: train, be killed, resume, generate, and refuse what is wrong.

#include <algorithm>
#include <chrono>
#include <cmath>
#include <csignal>
#include <filesystem>
#include <string>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "vkgpt/core/file.hpp"

#include "cli/run_vkgpt.hpp"
#include "support/paths.hpp"
#include "support/temp_directory.hpp"

namespace vkgpt::cli {
namespace {

/// A text with some structure and a line of every kind.
std::string small_text() {
  std::string text;
  for (int i = 0; i < 200; ++i)
    text += "line " + std::to_string(i * i % 97) + ": the quick brown fox, jumps!\n";
  return text;
}

class GpuTrainCommand : public testing::Test {
 protected:
  void SetUp() override { write_file(text(), small_text()); }

  Path text() const { return directory_ / "text.txt"; }
  Path run(const std::string& name) const { return directory_ / name; }

  /// A model small enough that 20 steps take a moment.
  std::vector<std::string> train_args(const std::string& out, std::vector<std::string> more = {}) const {
    std::vector<std::string> args = {"train",
                                     "--data_path",
                                     text().string(),
                                     "--out_dir",
                                     run(out).string(),
                                     "--n_layer",
                                     "2",
                                     "--n_head",
                                     "2",
                                     "--n_embd",
                                     "32",
                                     "--block_size",
                                     "32",
                                     "--batch_size",
                                     "4",
                                     "--max_steps",
                                     "20",
                                     "--eval_iters",
                                     "2",
                                     "--eval_interval",
                                     "10",
                                     "--log_interval",
                                     "1",
                                     "--stats_interval",
                                     "7",
                                     "--sample_interval",
                                     "10",
                                     "--sample_tokens",
                                     "8",
                                     "--save_interval",
                                     "5",
                                     "--warmup_steps",
                                     "3"};
    args.insert(args.end(), more.begin(), more.end());
    return args;
  }

  std::string weights(const std::string& out, const std::string& file = "model.safetensors") const {
    return read_file(run(out) / "step-20" / file);
  }

  /// The records of `metrics.jsonl`, all of which but the times follow from the settings.
  std::vector<nlohmann::json> log_without_times(const std::string& out) const {
    std::vector<nlohmann::json> records;
    std::ifstream file(run(out) / "metrics.jsonl");
    for (std::string line; std::getline(file, line);) {
      records.push_back(nlohmann::json::parse(line));
      records.back().erase("step_seconds");
      records.back().erase("tokens_per_second");
    }
    return records;
  }

  TempDirectory directory_;
};

TEST_F(GpuTrainCommand, TrainsThenGenerates) {
  const RunResult trained = run_vkgpt(train_args("a", {"--json"}));
  ASSERT_EQ(trained.code, 0) << trained.err;
  const auto summary = nlohmann::json::parse(trained.out);
  EXPECT_EQ(summary["steps"], 20);
  EXPECT_LT(summary["val_loss"], 4.0);
  EXPECT_NE(trained.err.find("[Iter 7] Grad Norms | Avg: "), std::string::npos);
  std::ifstream metrics(run("a") / "metrics.jsonl");
  int steps = 0;
  for (std::string line; std::getline(metrics, line);) {
    const auto record = nlohmann::json::parse(line);
    if (!record.contains("loss")) continue;
    EXPECT_EQ(record["step"], ++steps);
  }
  EXPECT_EQ(steps, 20);
  EXPECT_TRUE(std::filesystem::exists(run("a") / "samples" / "step-10.txt"));

  const std::vector<std::string> args = {"generate", "--model", run("a").string(),
                                         "--prompt", "line 4",  "--max_new_tokens",
                                         "70",       "--seed",  "5"};
  const RunResult text = run_vkgpt(args);
  ASSERT_EQ(text.code, 0) << text.err;
  EXPECT_EQ(text.out.size(), 6U + 70 + 1);
  EXPECT_EQ(run_vkgpt(args).out, text.out) << "same seed, same text";
  std::vector<std::string> uncached = args;
  uncached.emplace_back("--no-kv_cache");
  EXPECT_EQ(run_vkgpt(uncached).out, text.out);
  std::vector<std::string> streamed = args;
  streamed.emplace_back("--stream");
  EXPECT_EQ(run_vkgpt(streamed).out, text.out);
  const RunResult only = run_vkgpt(train_args(
      "a", {"--generate_only", "--prompt", "line 4", "--kv_cache", "--max_new_tokens", "70", "--seed", "5"}));
  EXPECT_EQ(only.out, text.out) << only.err;

  const std::vector<std::string> chat = {"chat",
                                         "--model",
                                         run("a").string(),
                                         "--user_prefix",
                                         "line ",
                                         "--turn_end",
                                         "\n",
                                         "--reply_prefix",
                                         "line",
                                         "--temperature",
                                         "0",
                                         "--max_new_tokens",
                                         "20"};
  const RunResult replies = run_vkgpt(chat, {}, "4\n/reset\n4\n\n5");
  EXPECT_EQ(replies.code, 0) << replies.err;
  const std::string reply = replies.out.substr(0, replies.out.find('\n') + 1);
  EXPECT_GT(reply.size(), 1U);
  EXPECT_EQ(replies.out.substr(0, 2 * reply.size()), reply + reply) << "forgotten after /reset";
  EXPECT_EQ(std::ranges::count(replies.out, '\n'), 3) << replies.out;
  EXPECT_EQ(run_vkgpt(chat, {}, "/quit\n4\n").out, "");

  const RunResult eval =
      run_vkgpt({"eval", "--model", run("a").string(), "--data_path", this->text().string(), "--json"});
  ASSERT_EQ(eval.code, 0) << eval.err;
  const auto measured = nlohmann::json::parse(eval.out);
  EXPECT_EQ(measured["tokens"], small_text().size() - 1);
  EXPECT_NEAR(measured["loss"], summary["val_loss"], 0.3);
  EXPECT_NEAR(measured["bits_per_byte"], measured["loss"].get<double>() / std::log(2.0), 1e-9)
      << "a token is a byte here";
  EXPECT_NE(run_vkgpt({"eval", "--model", run("a").string(), "--data_path", this->text().string()})
                .out.find("bits per byte"),
            std::string::npos);
}

TEST_F(GpuTrainCommand, KilledAndResumedEndsWithTheSameBits) {
  ASSERT_EQ(run_vkgpt(train_args("whole")).code, 0);
  EXPECT_EQ(run_and_signal(train_args("killed"), run("killed") / "metrics.jsonl", "{\"step\":11,", SIGKILL),
            -SIGKILL);
  const RunResult resumed = run_vkgpt(train_args("killed", {"--resume"}));
  ASSERT_EQ(resumed.code, 0) << resumed.err;
  EXPECT_NE(resumed.err.find("resumed from"), std::string::npos) << resumed.err;
  EXPECT_TRUE(weights("killed") == weights("whole"));
  EXPECT_TRUE(weights("killed", "optimizer.safetensors") == weights("whole", "optimizer.safetensors"));
  EXPECT_EQ(log_without_times("killed"), log_without_times("whole"));
}

TEST_F(GpuTrainCommand, InterruptSavesAndResumesWithTheSameBits) {
  ASSERT_EQ(run_vkgpt(train_args("whole")).code, 0);
  EXPECT_EQ(run_and_signal(train_args("cut"), run("cut") / "metrics.jsonl", "{\"step\":8,", SIGINT), 130);
  const RunResult resumed = run_vkgpt(train_args("cut", {"--resume"}));
  ASSERT_EQ(resumed.code, 0) << resumed.err;
  EXPECT_TRUE(weights("cut") == weights("whole"));
}

TEST_F(GpuTrainCommand, ADamagedCheckpointIsRefusedOrPassedOver) {
  ASSERT_EQ(run_vkgpt(train_args("a")).code, 0);
  const Path newest = run("a") / "step-20" / "model.safetensors";
  std::string bytes = read_file(newest);
  bytes[bytes.size() / 2] ^= 1;
  write_file(newest, bytes);
  const RunResult damaged = run_vkgpt({"generate", "--model", (run("a") / "step-20").string()});
  EXPECT_EQ(damaged.code, 1);
  EXPECT_EQ(std::ranges::count(damaged.err, '\n'), 1) << damaged.err;
  EXPECT_NE(damaged.err.find("model.safetensors"), std::string::npos) << damaged.err;
  write_file(newest, bytes.substr(0, bytes.size() / 2));
  EXPECT_EQ(run_vkgpt({"generate", "--model", (run("a") / "step-20").string()}).code, 1);
  const RunResult resumed = run_vkgpt(train_args("a", {"--resume"}));
  EXPECT_EQ(resumed.code, 0) << resumed.err;
  EXPECT_NE(resumed.err.find("resumed from"), std::string::npos) << resumed.err;
  EXPECT_EQ(run_vkgpt({"generate", "--model", run("a").string(), "--max_new_tokens", "3"}).code, 0);
}

TEST_F(GpuTrainCommand, RefusesWithOneLine) {
  const auto refuses = [&](const std::vector<std::string>& args, int code, const std::string& part,
                           const std::vector<std::string>& environment = {}) {
    const RunResult result = run_vkgpt(args, environment);
    EXPECT_EQ(result.code, code) << result.err;
    EXPECT_EQ(std::ranges::count(result.err, '\n'), 1) << result.err;
    EXPECT_NE(result.err.find(part), std::string::npos) << result.err;
    EXPECT_EQ(result.out, "");
  };
  refuses({"train", "--n_layr", "3"}, 2, "did you mean --n_layer?");
  refuses({"train", "--muon_steps", "4"}, 2, "--muon_steps 4");  // before a text is looked for
  refuses(train_args("x", {"--n_embd", "33"}), 2, "n_embd = 33");
  refuses({"train", "--data_path", text().string(), "--n_embd", "130", "--n_head", "4"}, 2, "n_embd");
  refuses({"train", "--data_path", (directory_ / "none").string()}, 1, "none");
  refuses({"train", "--data_path", (directory_ / ".").string()}, 1, "directory");
  write_file(directory_ / "empty.txt", "");
  refuses({"train", "--data_path", (directory_ / "empty.txt").string(), "--out_dir", run("x").string()}, 1,
          "empty");
  write_file(directory_ / "short.txt", "abc");
  refuses({"train", "--data_path", (directory_ / "short.txt").string(), "--out_dir", run("x").string()}, 2,
          "short");
  refuses(train_args("x", {"--device", "no such device"}), 2, "no such device");
  refuses(train_args("x"), 1, "Vulkan", {"VK_DRIVER_FILES=/nonexistent", "VK_ICD_FILENAMES=/nonexistent"});
  refuses({"generate"}, 2, "--model");
  refuses({"eval", "--data_path", text().string()}, 2, "--model");
  refuses({"eval", "--model", run("none").string(), "--data_path", text().string()}, 1, "none");
  refuses({"generate", "--model", run("none").string()}, 1, "none");

  ASSERT_EQ(run_vkgpt(train_args("a")).code, 0);
  refuses(train_args("a"), 2, "--resume");
  refuses({"generate", "--model", run("a").string(), "--prompt", "\xc3\xa9"}, 1, "\xc3\xa9");
}

TEST_F(GpuTrainCommand, WithoutATextTakesTheOneThatIsThere) {
  std::vector<std::string> args = train_args("default", {"--max_steps", "2"});
  args.erase(args.begin() + 1, args.begin() + 3);  // --data_path and its value
  std::string line = "cd " + directory_.path().string() + "; exec " + test::program().string();
  for (const std::string& arg : args) line += " " + arg;
  if (!std::filesystem::exists("/usr/share/doc/jargon-text/jargon.txt.gz")) {
    // Neither curl nor wget is found there.
    const RunResult offline = run_program_at("/bin/sh", {"-c", line}, {"PATH=/nonexistent"});
    EXPECT_EQ(offline.code, 1) << offline.err;
    EXPECT_NE(offline.err.find("use --data_path FILE"), std::string::npos) << offline.err;
  }
  make_directories(directory_ / "data");
  write_file(directory_ / "data" / "tinyshakespeare.txt", small_text());
  const RunResult result = run_program_at("/bin/sh", {"-c", line});
  EXPECT_EQ(result.code, 0) << result.err;
  EXPECT_NE(result.err.find("no --data_path: training on data/tinyshakespeare.txt"), std::string::npos)
      << result.err;
}

TEST_F(GpuTrainCommand, GeneratesWithAnotherTokenizer) {
  ASSERT_EQ(run_vkgpt(train_args("a", {"--max_steps", "1"})).code, 0);
  const std::vector<std::string> args = {"generate",         "--model", run("a").string(), "--prompt", "line",
                                         "--max_new_tokens", "5"};
  std::vector<std::string> own = args;
  own.insert(own.end(), {"--tokenizer", run("a").string()});
  EXPECT_EQ(run_vkgpt(own).out, run_vkgpt(args).out);
  std::vector<std::string> larger = args;
  larger.insert(larger.end(), {"--tokenizer", "gpt2"});
  const RunResult refused = run_vkgpt(larger);
  EXPECT_EQ(refused.code, 1);
  EXPECT_NE(refused.err.find("the tokenizer has 50257 tokens"), std::string::npos) << refused.err;
}

TEST_F(GpuTrainCommand, SizesBeyondTheDeviceAreUsageErrorsAtOnce) {
  const std::vector<std::vector<std::string>> sizes = {
      {"--batch_size", "200000", "--n_layer", "4"},
      {"--batch_size", "1048576"},
      {"--n_embd", "100000", "--n_head", "1000"},
      {"--n_embd", "8192", "--n_head", "64", "--n_layer", "200"},
      {"--n_embd", "131072", "--n_head", "1024", "--n_layer", "1024", "--batch_size", "1048576"},
      {"--n_embd", "16384", "--n_head", "128", "--n_layer", "1", "--batch_size", "1024"},
  };
  for (const std::vector<std::string>& flags : sizes) {
    const auto start = std::chrono::steady_clock::now();
    const RunResult result = run_vkgpt(train_args("large", flags));
    EXPECT_EQ(result.code, 2) << flags[1] << result.err;
    EXPECT_EQ(result.err.find("internal error"), std::string::npos) << result.err;
    EXPECT_NE(result.err.find("choose smaller sizes"), std::string::npos) << result.err;
    EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(5)) << flags[1];
    std::filesystem::remove_all(run("large"));
  }
  // A context that long is refused by a text of this length first, where there is one.
  const RunResult plan = run_vkgpt({"plan", "--block_size", "1048576", "--batch_size", "1048576"});
  EXPECT_EQ(plan.code, 2) << plan.err;
  EXPECT_NE(plan.err.find("are 1099511627776 tokens at once"), std::string::npos) << plan.err;
}

TEST_F(GpuTrainCommand, LimitsOfTheProcessAreSaidInOneLine) {
  const auto under = [&](const std::string& limit) {
    std::string line = limit + "; exec " + test::program().string();
    for (const std::string& arg : train_args("limited")) line += " " + arg;
    return run_program_at("/bin/sh", {"-c", line});
  };
  for (const char* limit : {"ulimit -v 200000", "ulimit -v 500000", "ulimit -f 100", "ulimit -f 2"}) {
    const RunResult result = under(limit);
    EXPECT_EQ(result.code, 1) << limit << result.err;
    const std::string last = result.err.substr(result.err.rfind("vkgpt: error: "));
    EXPECT_NE(last.find("ulimit"), std::string::npos) << limit << result.err;
    EXPECT_EQ(std::ranges::count(last, '\n'), 1) << last;
  }
}

TEST_F(GpuTrainCommand, FineTunesWithAdaptersFromAnotherRun) {
  ASSERT_EQ(run_vkgpt(train_args("base", {"--norm", "rmsnorm", "--mlp", "swiglu", "--pos_encoding", "rope",
                                          "--n_kv_head", "1", "--no-bias", "--ema"}))
                .code,
            0);
  const std::vector<std::string> tune = {"train",
                                         "--data_path",
                                         text().string(),
                                         "--out_dir",
                                         run("tuned").string(),
                                         "--init_from",
                                         run("base").string(),
                                         "--lora_rank",
                                         "2",
                                         "--batch_size",
                                         "4",
                                         "--max_steps",
                                         "6",
                                         "--eval_iters",
                                         "2"};
  const auto tuned = run_vkgpt(tune);
  ASSERT_EQ(tuned.code, 0) << tuned.err;
  EXPECT_TRUE(std::filesystem::exists(run("tuned") / "step-6" / "adapter_model.safetensors"));
  EXPECT_TRUE(read_file(run("tuned") / "step-6" / "model.safetensors") == weights("base"))
      << "the base keeps its weights";
  const auto generate = [&](const std::string& model, std::vector<std::string> more) {
    std::vector<std::string> args = {"generate",         "--model", run(model).string(), "--prompt", "line ",
                                     "--max_new_tokens", "12"};
    args.insert(args.end(), more.begin(), more.end());
    return run_vkgpt(args);
  };
  EXPECT_EQ(generate("tuned", {}).code, 0);
  EXPECT_EQ(generate("base", {"--use_ema"}).code, 0);
  EXPECT_EQ(generate("tuned", {"--use_ema"}).code, 1) << "it has no averaged weights";
  const auto other = run_vkgpt({"train", "--data_path", text().string(), "--out_dir", run("x").string(),
                                "--init_from", run("base").string(), "--n_layer", "3"});
  EXPECT_EQ(other.code, 2);
  EXPECT_NE(other.err.find("n_layer = 3"), std::string::npos) << other.err;
}

}  // namespace
}  // namespace vkgpt::cli
