// A run that begins with another's weights and optimizer.

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "vkgpt/core/file.hpp"

#include "cli/run_vkgpt.hpp"
#include "support/temp_directory.hpp"

namespace vkgpt::cli {
namespace {

TEST(GpuKeepOptimizer, StepsAsTheOtherRunWouldHave) {
  const TempDirectory directory;
  const auto file = [&](const std::string& name) { return (directory / name).string(); };
  write_file(file("text.txt"), "two windows in thirty-three bytes");
  const auto train = [&](const std::string& out, const std::string& steps, std::vector<std::string> more) {
    std::vector<std::string> args = {"train",
                                     "--data_path",
                                     file("text.txt"),
                                     "--out_dir",
                                     file(out),
                                     "--max_steps",
                                     steps,
                                     "--batch_order",
                                     "sequential",
                                     "--batch_size",
                                     "2",
                                     "--val_fraction",
                                     "0",
                                     "--lr_schedule",
                                     "constant",
                                     "--warmup_steps",
                                     "0",
                                     "--eval_interval",
                                     "0",
                                     "--sample_interval",
                                     "0"};
    args.insert(args.end(), more.begin(), more.end());
    return run_vkgpt(args);
  };
  const RunResult whole = train("whole", "6",
                                {"--tokenizer", "byte", "--n_layer", "1", "--n_head", "2", "--n_embd", "32",
                                 "--block_size", "16", "--save_interval", "5"});
  ASSERT_EQ(whole.code, 0) << whole.err;
  const RunResult first = train("first", "1", {"--init_from", file("whole") + "/step-5", "--keep_optimizer"});
  ASSERT_EQ(first.code, 0) << first.err;
  const auto weights = [&](const std::string& checkpoint) {
    return read_file(Path(file(checkpoint)) / "model.safetensors");
  };
  EXPECT_TRUE(weights("whole/step-6") == weights("first/step-1")) << "bit for bit";
  // Also of the third run, whose optimizer is as old as the first two together.
  ASSERT_EQ(train("whole", "7", {"--resume"}).code, 0);
  const RunResult second = train("second", "1", {"--init_from", file("first"), "--keep_optimizer"});
  ASSERT_EQ(second.code, 0) << second.err;
  EXPECT_TRUE(weights("whole/step-7") == weights("second/step-1")) << "bit for bit";
}

}  // namespace
}  // namespace vkgpt::cli
