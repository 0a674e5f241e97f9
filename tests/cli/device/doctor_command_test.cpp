#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include "vkgpt/vk/kernel_record.hpp"

#include "cli/device/system_report.hpp"
#include "cli/run_vkgpt.hpp"
#include "gpu_context.hpp"

namespace vkgpt::cli {
namespace {

TEST(GpuDoctorCommand, DescribesEverythingAndNothingPrivate) {
  const TempDirectory home;
  const std::string secret = "VK_DRIVER_HINT=" + (home / "private").string();
  const RunResult result = run_vkgpt({"doctor"}, {"HOME=" + home.path().string(), "XDG_CACHE_HOME=", secret});
  EXPECT_EQ(result.code, 0) << result.err;
  for (const char* part : {"vkgpt  ", "system ", "processor ", "memory ", "limits ", "Vulkan loader ",
                           "layers ", "device ", "driver ", "kernels ", "never tested", "cache ",
                           "~/.cache/vkgpt", "VK_DRIVER_HINT", "vkgpt selftest"}) {
    EXPECT_NE(result.out.find(part), std::string::npos) << part << "\n" << result.out;
  }
  std::string host(256, '\0');
  gethostname(host.data(), host.size());
  host.resize(host.find('\0'));
  EXPECT_EQ(result.out.find(home.path().string()), std::string::npos) << result.out;
  EXPECT_EQ(result.out.find("private"), std::string::npos) << result.out;
  EXPECT_TRUE(host.size() < 4 || !result.out.contains(host)) << result.out;
  const auto json = nlohmann::json::parse(
      run_vkgpt({"doctor", "--json"}, {"HOME=" + home.path().string(), "XDG_CACHE_HOME="}).out);
  EXPECT_GT(json["report"].size(), 8U);
  EXPECT_TRUE(json["advice"].is_array());
}

TEST(GpuDoctorCommand, SaysWhichKernelsFailAndWhy) {
  const TempDirectory home;
  const vk::DeviceCaps& caps = test::shared_context().caps();
  vk::write_kernel_record(home / ".cache/vkgpt", caps,
                          {.disabled = {{"matmul simt", {"all: the test did not finish", "2026-11-01"}}},
                           .failed = {{"norm", {"f32: NMSE 1", "2026-11-02"}}},
                           .tested = "2026-11-03"});
  const std::vector<std::string> environment = {"HOME=" + home.path().string(), "XDG_CACHE_HOME="};
  const RunResult result = run_vkgpt({"doctor"}, environment);
  for (const char* part :
       {"norm fails since 2026-11-02 (f32: NMSE 1)", "norm fails (f32: NMSE 1) and nothing can replace it",
        "matmul simt is off (all: the test did not finish): a newer driver may help"}) {
    EXPECT_NE(result.out.find(part), std::string::npos) << part << "\n" << result.out;
  }
  EXPECT_NE(run_vkgpt({"devices"}, environment).out.find("norm fails since 2026-11-02"), std::string::npos);
}

TEST(DoctorCommand, SaysWhatIsMissingWithoutADriver) {
  const RunResult result = run_vkgpt({"doctor"}, {"VK_DRIVER_FILES=/nonexistent.json", "VKGPT_DEVICE="});
  EXPECT_EQ(result.code, 0) << result.err;
  EXPECT_NE(result.out.find("no Vulkan driver was found"), std::string::npos) << result.out;
}

TEST(SystemReport, ACacheThatCannotBeWrittenIsAdvisedOn) {
  EXPECT_EQ(describe_cache({}).advice.size(), 1U);
  const TempDirectory directory;
  EXPECT_TRUE(describe_cache(directory / "not" / "yet").advice.empty());
}

}  // namespace
}  // namespace vkgpt::cli
