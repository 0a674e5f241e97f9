#include <string>

#include <gtest/gtest.h>

#include "vkgpt/vk/kernel_record.hpp"

#include "cli/run_vkgpt.hpp"
#include "gpu_context.hpp"
#include "support/temp_directory.hpp"

namespace vkgpt::cli {
namespace {

TEST(GpuKernelCheck, ChecksTheKernelsOfANewDeviceMeanwhile) {
  const TempDirectory cache;
  write_file(cache / "text.txt", std::string(2000, 'a') + kEveryLetter);
  const auto train = [&](const std::string& out) {
    return run_vkgpt({"train",
                      "--data_path",
                      (cache / "text.txt").string(),
                      "--out_dir",
                      (cache / out).string(),
                      "--n_layer",
                      "1",
                      "--n_head",
                      "2",
                      "--n_embd",
                      "32",
                      "--block_size",
                      "16",
                      "--batch_size",
                      "2",
                      "--max_steps",
                      "2",
                      "--eval_iters",
                      "1",
                      "--selftest",
                      "on"},
                     {"XDG_CACHE_HOME=" + cache.path().string()});
  };
  const RunResult result = train("checked");
  EXPECT_EQ(result.code, 0) << result.err;
  EXPECT_NE(result.err.find("never checked: they are checked meanwhile"), std::string::npos) << result.err;
  // The end of the training ends the test between two cases: nothing is off.
  const vk::DeviceCaps& caps = test::shared_context().caps();
  vk::KernelRecord record = vk::read_kernel_record(cache / "vkgpt", caps);
  EXPECT_TRUE(record.disabled.empty());
  EXPECT_EQ(record.tested, "");
  // The next start says so and tries again; once it came to its end, what failed is said at every start.
  record.unfinished = {"out of memory", "2026-11-01"};
  vk::write_kernel_record(cache / "vkgpt", caps, record);
  const RunResult again = train("again");
  EXPECT_NE(again.err.find("the self-test of 2026-11-01 did not come to its end (out of memory): they are "),
            std::string::npos)
      << again.err;
  record = {.failed = {{"norm", {"f32 3x3: NMSE 1 exceeds 0", "2026-11-02"}}}, .tested = "2026-11-02"};
  vk::write_kernel_record(cache / "vkgpt", caps, record);
  const RunResult failed = train("failed");
  EXPECT_EQ(failed.code, 0) << failed.err;
  EXPECT_NE(failed.err.find("the self-test of 2026-11-02 failed in norm (f32 3x3: NMSE 1 exceeds 0)"),
            std::string::npos)
      << failed.err;
  EXPECT_EQ(failed.err.find("checked meanwhile"), std::string::npos) << failed.err;
}

}  // namespace
}  // namespace vkgpt::cli
