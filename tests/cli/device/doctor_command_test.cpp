#include <string>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include "cli/device/system_report.hpp"
#include "cli/run_vkgpt.hpp"

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
