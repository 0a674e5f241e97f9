// Several ranks on the CPU's driver, started as a user starts them.

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <unistd.h>

#include "vkgpt/core/file.hpp"
#include "vkgpt/core/hash.hpp"

#include "cli/run_vkgpt.hpp"
#include "support/paths.hpp"
#include "support/temp_directory.hpp"

namespace vkgpt::cli {
namespace {

class GpuRanks : public testing::Test {
 protected:
  void SetUp() override {
    const bool has_plugin = std::filesystem::exists(test::program().parent_path() / "libvkgpt_mpi.so");
    ASSERT_TRUE(has_plugin) << "libopenmpi-dev was missing when the program was configured";
    ASSERT_EQ(std::system("mpirun --version >/dev/null 2>&1"), 0) << "openmpi-bin is missing";
    std::string text;
    for (int i = 0; i < 200; ++i) text += "line " + std::to_string(i * i % 97) + ": a quick brown fox!\n";
    write_file(directory_ / "text.txt", text);
  }

  RunResult train(const std::string& out, int ranks, const std::string& steps,
                  const std::vector<std::string>& more) const {
    std::vector<std::string> args = {"train",
                                     "--data_path",
                                     (directory_ / "text.txt").string(),
                                     "--out_dir",
                                     (directory_ / out).string(),
                                     "--n_layer",
                                     "2",
                                     "--n_head",
                                     "4",
                                     "--n_embd",
                                     "64",
                                     "--block_size",
                                     "16",
                                     "--batch_size",
                                     "2",
                                     "--max_steps",
                                     steps,
                                     "--lr_decay_steps",
                                     "8",
                                     "--eval_iters",
                                     "3",
                                     "--eval_interval",
                                     "4",
                                     "--stats_interval",
                                     "3",
                                     "--sample_interval",
                                     "0",
                                     "--save_interval",
                                     "100",
                                     "--warmup_steps",
                                     "2",
                                     "--bucket_mib",
                                     "0.05",
                                     "--grad_accum_steps",
                                     "4"};
    if (ranks > 1) args.insert(args.end(), {"--nproc_per_node", std::to_string(ranks), "--ddp"});
    args.insert(args.end(), more.begin(), more.end());
    return run_vkgpt(args, {"LP_NUM_THREADS=1"});
  }

  /// Two ranks, each in a directory of its own, 0 and 1, so that relative paths are others for each.
  RunResult train_apart(const std::vector<std::string>& more) const {
    for (const char* rank : {"0", "1"}) std::filesystem::create_directories(directory_ / rank);
    const std::string there = "cd '" + directory_.path().string() + "'/$OMPI_COMM_WORLD_RANK && exec \"$@\"";
    std::vector<std::string> args = {"--oversubscribe",
                                     "--allow-run-as-root",
                                     "--bind-to",
                                     "none",
                                     "--mca",
                                     "pml",
                                     "ob1",
                                     "--mca",
                                     "btl",
                                     "self,sm",
                                     "-n",
                                     "2",
                                     "sh",
                                     "-c",
                                     there,
                                     "sh",
                                     test::program().string(),
                                     "train",
                                     "--data_path",
                                     (directory_ / "text.txt").string(),
                                     "--max_steps",
                                     "1",
                                     "--grad_accum_steps",
                                     "2"};
    args.insert(args.end(), more.begin(), more.end());
    return run_program_at("mpirun", args);
  }

  /// The bits of a run: weights, or adapters alone, and optimizer.
  std::string bits(const std::string& out, const std::string& step) const {
    const Path checkpoint = directory_ / out / ("step-" + step);
    const bool is_whole = std::filesystem::exists(checkpoint / "model.safetensors");
    return sha256(read_file(checkpoint / (is_whole ? "model.safetensors" : "adapter_model.safetensors"))) +
           " " + sha256(read_file(checkpoint / "optimizer.safetensors"));
  }

  /// 1, 2 and 3 ranks, and 2 that go on where 1 stopped, all with the same bits.
  void expect_same_bits(std::vector<std::string> settings) {
    settings.insert(settings.end(), {"--sum_order", "step"});
    const RunResult one = train("one", 1, "8", settings);
    ASSERT_EQ(one.code, 0) << one.err;
    const RunResult two = train("two", 2, "8", settings);
    ASSERT_EQ(two.code, 0) << two.err;
    EXPECT_EQ(bits("one", "8"), bits("two", "8"));
    std::vector<std::string> unequal = settings;
    unequal.insert(unequal.end(), {"--balance", "2,1,1"});
    const RunResult three = train("three", 3, "8", unequal);
    ASSERT_EQ(three.code, 0) << three.err;
    EXPECT_EQ(bits("one", "8"), bits("three", "8"));
    ASSERT_EQ(train("more", 1, "3", settings).code, 0);
    std::vector<std::string> again = settings;
    again.emplace_back("--resume");
    const RunResult resumed = train("more", 2, "8", again);
    ASSERT_EQ(resumed.code, 0) << resumed.err;
    EXPECT_EQ(bits("one", "8"), bits("more", "8"));
  }

  TempDirectory directory_;
};

TEST_F(GpuRanks, StepOrderGivesTheSameBits) {
  expect_same_bits({});
}

TEST_F(GpuRanks, StepOrderGivesTheSameBitsInHalfPrecisionWithEverything) {
  expect_same_bits({"--amp", "fp16", "--dropout", "0.1", "--ema", "--n_kv_head", "2", "--pos_encoding",
                    "rope", "--wire", "bf16"});
}

TEST_F(GpuRanks, StepOrderGivesTheSameBitsWithMuon) {
  expect_same_bits({"--optimizer", "muon"});
}

TEST_F(GpuRanks, StepOrderGivesTheSameBitsWithEightBits) {
  expect_same_bits({"--optimizer", "adamw8"});
}

TEST_F(GpuRanks, StepOrderGivesTheSameBitsOfAdaptersOnABaseInFewBits) {
  ASSERT_EQ(train("base", 1, "1", {"--save_interval", "1"}).code, 0);
  expect_same_bits(
      {"--init_from", (directory_ / "base").string(), "--base_dtype", "nf4", "--lora_rank", "16"});
}

TEST_F(GpuRanks, RankOrderRepeats) {
  for (const char* out : {"a", "b"}) {
    const RunResult run = train(out, 2, "8", {"--validation", "sync"});
    ASSERT_EQ(run.code, 0) << run.err;
  }
  EXPECT_EQ(bits("a", "8"), bits("b", "8"));
}

TEST_F(GpuRanks, SharesFollowSpeedWithoutAChangeOfBits) {
  ASSERT_EQ(train("even", 2, "8", {"--sum_order", "step"}).code, 0);
  const RunResult automatic = train("auto", 2, "8", {"--sum_order", "step", "--balance", "auto"});
  ASSERT_EQ(automatic.code, 0) << automatic.err;
  EXPECT_EQ(bits("even", "8"), bits("auto", "8"));
  const std::string state = read_file(directory_ / "auto" / "step-8" / "trainer_state.json");
  EXPECT_NE(state.find("\"shares\""), std::string::npos) << state;
}

TEST_F(GpuRanks, WorkersApartGoOnWhereTheyWere) {
  const std::vector<std::string> settings = {"--sync",       "diloco", "--sync_every",    "2",
                                             "--outer_bits", "4",      "--save_interval", "4"};
  const RunResult whole = train("whole", 2, "8", settings);
  ASSERT_EQ(whole.code, 0) << whole.err;
  std::filesystem::copy(directory_ / "whole", directory_ / "cut", std::filesystem::copy_options::recursive);
  std::filesystem::remove_all(directory_ / "cut" / "step-8");
  std::vector<std::string> again = settings;
  again.emplace_back("--resume");
  const RunResult resumed = train("cut", 2, "8", again);
  ASSERT_EQ(resumed.code, 0) << resumed.err;
  EXPECT_EQ(bits("whole", "8"), bits("cut", "8"));
  const auto workers = [&](const char* out) {
    return sha256(read_file(directory_ / out / "step-8" / "diloco.safetensors"));
  };
  EXPECT_EQ(workers("whole"), workers("cut"));
}

TEST_F(GpuRanks, RefuseARankWithoutTheRunDirectory) {
  for (const bool has_one : {false, true}) {
    if (has_one) std::filesystem::create_directories(directory_ / "1" / "run");
    const RunResult run = train_apart({"--out_dir", "run"});
    EXPECT_NE(run.code, 0);
    EXPECT_NE(run.err.find("run here is not where rank 0 writes checkpoints"), std::string::npos) << run.err;
  }
}

/// Machines may hold other models under the same name; of a base in few bits no checkpoint would tell.
TEST_F(GpuRanks, RefuseARankWithAnotherModel) {
  for (const char* rank : {"0", "1"}) {
    ASSERT_EQ(train(std::string(rank) + "/base", 1, "1", {"--seed", rank, "--save_interval", "1"}).code, 0);
  }
  for (const char* type : {"f32", "q8_0"}) {
    const RunResult run = train_apart({"--init_from", "base", "--base_dtype", type, "--lora_rank", "16",
                                       "--out_dir", (directory_ / type).string()});
    EXPECT_NE(run.code, 0);
    EXPECT_NE(run.err.find("it has another model than rank 0"), std::string::npos) << run.err;
  }
}

TEST_F(GpuRanks, RefusesInOneLine) {
  const RunResult few = train("few", 3, "8", {"--grad_accum_steps", "2"});
  EXPECT_NE(few.code, 0);
  EXPECT_NE(few.err.find("--grad_accum_steps 2 counts the micro-steps of all 3 ranks"), std::string::npos)
      << few.err;
}

}  // namespace
}  // namespace vkgpt::cli
