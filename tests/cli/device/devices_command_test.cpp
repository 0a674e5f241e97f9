#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "cli/run_vkgpt.hpp"

namespace vkgpt::cli {
namespace {

using testing::HasSubstr;

TEST(GpuDevicesCommand, ListsWhatWouldBeUsed) {
  const RunResult result = run_vkgpt({"devices", "--json"});
  ASSERT_EQ(result.code, 0) << result.err;
  const nlohmann::json json = nlohmann::json::parse(result.out);
  ASSERT_TRUE(json["chosen"].is_number()) << result.out;
  const nlohmann::json& device = json["devices"][json["chosen"].get<std::size_t>()];
  EXPECT_EQ(device["usable"], true);
  EXPECT_THAT(device["choice"].get<std::string>(), HasSubstr("chosen"));

  const std::string uuid = device["uuid"].get<std::string>();
  const RunResult table = run_vkgpt({"devices", "--device", uuid});
  EXPECT_EQ(table.code, 0);
  EXPECT_THAT(table.out, HasSubstr(device["name"].get<std::string>()));
  EXPECT_THAT(table.out, HasSubstr("chosen: --device " + uuid));
}

TEST(GpuDevicesCommand, UnknownDeviceIsAUsageError) {
  const RunResult result = run_vkgpt({"devices", "--device", "voodoo"});
  EXPECT_EQ(result.code, 2);
  EXPECT_EQ(result.out, "");
  EXPECT_THAT(result.err, HasSubstr("no device matches 'voodoo': 0: "));
}

TEST(GpuDevicesCommand, NoDriverIsOneClearLine) {
  const RunResult result = run_vkgpt({"devices"}, {"VK_DRIVER_FILES=/nonexistent"});
  EXPECT_EQ(result.code, 1);
  EXPECT_EQ(result.out, "");
  EXPECT_THAT(result.err, HasSubstr("mesa-vulkan-drivers"));
  EXPECT_EQ(result.err.find('\n'), result.err.size() - 1);
}

}  // namespace
}  // namespace vkgpt::cli
