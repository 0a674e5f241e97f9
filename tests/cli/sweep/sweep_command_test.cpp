// `vkgpt sweep` as a user runs it, and the tables that it makes.

#include <algorithm>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <optional>
#include <thread>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "vkgpt/core/directory_lock.hpp"

#include "cli/run_vkgpt.hpp"
#include "cli/sweep/sweep_results.hpp"
#include "support/expect_error.hpp"

namespace vkgpt::cli {
namespace {

SweepResult result_of(const std::string& name, SweepState state, std::optional<double> val_loss) {
  SweepResult result{.run = {.name = name, .values = {{"n_layer", name}}}, .state = state};
  result.val_loss = val_loss;
  if (state == SweepState::kDone) {
    result.train_loss = 2;
    result.steps = 100;
    result.tokens_per_second = 12345;
    result.seconds = 61;
  }
  return result;
}

TEST(SweepResults, RankTheFinishedOnesByLoss) {
  const std::vector<SweepResult> results = {
      result_of("a", SweepState::kFailed, {}), result_of("b", SweepState::kDone, 2.5),
      result_of("c", SweepState::kDone, std::nan("")), result_of("d", SweepState::kWaiting, {}),
      result_of("e", SweepState::kDone, 1.5)};
  std::string order;
  for (const SweepResult& result : ranked(results)) order += result.run.name;
  EXPECT_EQ(order, "ebcad");
}

TEST(SweepResults, TablesSayTheSame) {
  const std::vector<SweepResult> results = {result_of("8", SweepState::kDone, 1.5),
                                            result_of("a,b", SweepState::kWaiting, {})};
  EXPECT_EQ(sweep_table(results),
            "rank  val_loss  train_loss  steps  tok/s   time    state  n_layer\n"
            "   1    1.5000      2.0000    100  12.3k  1m01s     done        8\n"
            "   -         -           -      -      -      -  waiting      a,b\n");
  EXPECT_EQ(sweep_csv(results),
            "rank,val_loss,train_loss,steps,tokens_per_second,seconds,state,n_layer,name\n"
            "1,1.5000,2.0000,100,12345.0,61.0,done,8,8\n"
            ",,,,,,waiting,\"a,b\",\"a,b\"\n");
  const auto json = sweep_json(results);
  EXPECT_EQ(json["runs"][0]["val_loss"], 1.5);
  EXPECT_EQ(json["runs"][0]["parameters"]["n_layer"], "8");
  EXPECT_TRUE(json["runs"][1]["val_loss"].is_null());
}

TEST(SweepResults, ReadWhatTrainPrints) {
  SweepResult result;
  result.read_summary(R"({"steps":7,"train_loss":null,"val_loss":3.5,"best_val_loss":3.25,"seconds":2,
                          "tokens_per_second":10})",
                      "summary");
  EXPECT_EQ(result.val_loss, 3.25);
  EXPECT_FALSE(result.train_loss.has_value());
  EXPECT_EQ(result.steps, 7);
  expect_error([&] { result.read_summary("{}", "summary"); }, "summary");
  expect_error([&] { result.read_summary("{\"steps\":", "summary"); }, "summary");
}

class GpuSweepCommand : public testing::Test {
 protected:
  void SetUp() override {
    std::string text;
    for (int i = 0; i < 200; ++i) text += "line " + std::to_string(i * i % 97) + ": the quick brown fox\n";
    write_file(directory_ / "t.txt", text);
  }

  /// `steps` for each of two runs.
  std::vector<std::string> sweep(const std::string& steps, const std::string& rates = "1e-5, 1e-2") const {
    const Path config = directory_ / "sweep.yaml";
    write_file(config, "out_dir: " + out().string() +
                           "\nbase:\n  data_path: " + (directory_ / "t.txt").string() +
                           "\n  n_layer: 1\n  n_head: 2\n  n_embd: 32\n  block_size: 32\n  batch_size: 2\n"
                           "  eval_interval: 0\n  eval_iters: 1\n  sample_interval: 0\n  log_interval: 1\n"
                           "  max_steps: " +
                           steps + "\nparameters:\n  learning_rate: [" + rates + "]\n");
    return {"sweep", "--config", config.string()};
  }
  Path out() const { return directory_ / "sweep"; }
  Path first_run() const { return out() / "001-learning_rate=1e-5"; }
  nlohmann::json results() const { return nlohmann::json::parse(read_file(out() / "sweep.json"))["runs"]; }

  TempDirectory directory_;
};

TEST_F(GpuSweepCommand, RanksItsRunsAndDoesNotRepeatThem) {
  const RunResult result = run_vkgpt(sweep("12"));
  ASSERT_EQ(result.code, 0) << result.err;
  EXPECT_EQ(std::ranges::count(result.out, '\n'), 3) << result.out;
  EXPECT_EQ(results()[0]["parameters"]["learning_rate"], "1e-2") << "it learns more in few steps";
  EXPECT_LT(results()[0]["val_loss"], results()[1]["val_loss"]);
  EXPECT_EQ(results()[1]["steps"], 12);
  EXPECT_TRUE(std::filesystem::exists(first_run() / "step-12" / "model.safetensors"));
  const auto written = std::filesystem::last_write_time(first_run() / "metrics.jsonl");
  const RunResult again = run_vkgpt(sweep("12"));
  EXPECT_EQ(again.code, 0);
  EXPECT_EQ(again.out, result.out);
  EXPECT_EQ(again.err, "");
  EXPECT_EQ(std::filesystem::last_write_time(first_run() / "metrics.jsonl"), written);

  const RunResult other = run_vkgpt(sweep("13"));
  EXPECT_EQ(other.code, 2);
  EXPECT_NE(other.err.find("other settings"), std::string::npos) << other.err;
}

TEST_F(GpuSweepCommand, OneMoreValueTrainsOneMoreRun) {
  ASSERT_EQ(run_vkgpt(sweep("3")).code, 0);
  const RunResult result = run_vkgpt(sweep("3", "1e-6, 1e-5, 1e-2"));
  ASSERT_EQ(result.code, 0) << result.err;
  EXPECT_EQ(results().size(), 3U);
  EXPECT_TRUE(std::filesystem::exists(out() / "001-learning_rate=1e-6"));
  EXPECT_FALSE(std::filesystem::exists(out() / "002-learning_rate=1e-5")) << "done as 001";
  EXPECT_FALSE(std::filesystem::exists(out() / "003-learning_rate=1e-2")) << "done as 002";
}

TEST_F(GpuSweepCommand, RunsWhatItRecordsWhateverTheEnvironmentSays) {
  const RunResult result = run_vkgpt(sweep("3"), {"VKGPT_MAX_STEPS=2", "VKGPT_LEARNING_RATE=1"});
  ASSERT_EQ(result.code, 0) << result.err;
  EXPECT_EQ(results()[0]["steps"], 3);
  EXPECT_EQ(nlohmann::json::parse(read_file(first_run() / "sweep_run.json"))["max_steps"], "3");
}

TEST_F(GpuSweepCommand, AnInterruptedOneGoesOn) {
  const std::vector<std::string> args = sweep("60");
  EXPECT_EQ(run_and_signal(args, first_run() / "metrics.jsonl", "\"step\":3,", SIGINT), 130);
  EXPECT_EQ(results().size(), 2U);
  EXPECT_NE(results()[0]["state"], "done");

  const RunResult resumed = run_vkgpt(args);
  ASSERT_EQ(resumed.code, 0) << resumed.err;
  EXPECT_EQ(results()[0]["steps"], 60);
  EXPECT_EQ(results()[1]["state"], "done");
  EXPECT_NE(read_file(first_run() / "train.log").find("resumed from"), std::string::npos);
}

TEST_F(GpuSweepCommand, WaitsForTheRunThatAKilledOneLeft) {
  const std::vector<std::string> args = sweep("3");
  make_directories(first_run());
  std::optional<DirectoryLock> orphan(std::in_place, first_run(), "training in");
  const std::jthread ends([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(700));
    orphan.reset();
  });
  const RunResult result = run_vkgpt(args);
  EXPECT_EQ(result.code, 0) << result.err;
  EXPECT_EQ(results()[0]["state"], "done");
  EXPECT_EQ(results()[1]["state"], "done");
}

TEST_F(GpuSweepCommand, AFailedRunDoesNotStopTheOthers) {
  std::vector<std::string> args = sweep("5");
  make_directories(first_run());
  write_file(first_run() / "effective_config.json.tmp", "");
  std::filesystem::create_directories(first_run() / "metrics.jsonl");  // the log cannot be written
  const RunResult result = run_vkgpt(args);
  EXPECT_EQ(result.code, 1);
  EXPECT_NE(result.err.find("failed with exit code 1"), std::string::npos) << result.err;
  EXPECT_EQ(results()[0]["state"], "done");
  EXPECT_EQ(results()[1]["state"], "failed");
  EXPECT_NE(results()[1]["error"].get<std::string>().find("metrics.jsonl"), std::string::npos);
}

TEST(SweepCommand, RefusesWithOneLine) {
  EXPECT_EQ(run_vkgpt({"sweep"}).err, "vkgpt: error: expected 'vkgpt sweep --config sweep.yaml'\n");
  EXPECT_EQ(run_vkgpt({"sweep", "x"}).code, 2);
  EXPECT_EQ(run_vkgpt({"sweep", "--config", "/nonexistent.yaml"}).code, 1);
}

}  // namespace
}  // namespace vkgpt::cli
