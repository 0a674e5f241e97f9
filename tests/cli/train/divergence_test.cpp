// A run whose loss is no longer finite.

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "vkgpt/core/file.hpp"

#include "cli/run_vkgpt.hpp"
#include "support/temp_directory.hpp"

namespace vkgpt::cli {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(GpuDivergence, LeavesTheLastGoodCheckpointsToBeResumed) {
  const TempDirectory directory;
  const std::string text = (directory / "text.txt").string(), run = (directory / "run").string();
  std::string words;
  for (int i = 0; i < 200; ++i) words += "word " + std::to_string(i * 7919 % 1000) + " ";
  write_file(text, words);
  const RunResult good =
      run_vkgpt({"train",   "--data_path",     text, "--tokenizer",     "byte", "--out_dir",
                 run,       "--n_layer",       "1",  "--n_head",        "2",    "--n_embd",
                 "32",      "--block_size",    "16", "--batch_size",    "2",    "--max_steps",
                 "4",       "--save_interval", "2",  "--eval_interval", "0",    "--sample_interval",
                 "0",       "--val_fraction",  "0",  "--warmup_steps",  "0",    "--lr_schedule",
                 "constant"});
  ASSERT_EQ(good.code, 0) << good.err;

  const auto resume = [&](const std::string& steps, const std::string& rate, const std::string& clip) {
    return run_vkgpt({"train", "--out_dir", run, "--resume", "--max_steps", steps, "--save_interval", "50",
                      "--learning_rate", rate, "--grad_clip", clip});
  };
  // Weights overflow long before the first save is due.
  const RunResult diverged = resume("400", "1000", "0");
  EXPECT_EQ(diverged.code, 1) << diverged.err;
  EXPECT_THAT(diverged.err, HasSubstr("100 steps in a row"));
  EXPECT_THAT(diverged.err, HasSubstr("--resume, which goes on from step 4,"));
  const RunResult tame = resume("8", "1e-3", "1");
  EXPECT_EQ(tame.code, 0) << tame.err;
  EXPECT_THAT(tame.err, Not(HasSubstr("not finite"))) << tame.err;
}

}  // namespace
}  // namespace vkgpt::cli
