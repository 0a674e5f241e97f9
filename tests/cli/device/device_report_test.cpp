#include "cli/device/device_report.hpp"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace vkgpt::cli {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

std::vector<vk::PhysicalDevice> machine() {
  std::vector<vk::PhysicalDevice> devices(4);
  devices[0].caps.name = "Software";
  devices[0].caps.type = vk::DeviceType::kCpu;
  devices[0].caps.uuid = std::string(32, '0');
  devices[1].caps.name = "Radeon";
  devices[1].caps.uuid = std::string(32, '1');
  devices[1].caps.cooperative_matrices = {{16, 16, 16, "f16", "f32"}, {16, 16, 16, "s8", "s32"}};
  devices[1].caps.cooperative_matrix2 =
      vk::CooperativeMatrix2{.workgroup_scope = true,
                             .flexible_dimensions = false,
                             .reductions = true,
                             .conversions = false,
                             .per_element_operations = false,
                             .tensor_addressing = false,
                             .block_loads = false,
                             .max_workgroup_invocations = 1024,
                             .max_dimension = 512,
                             .reserved_shared_memory_bytes = 0,
                             .shapes = {{32, 16, 8, "f16", "f32", 0}, {32, 32, 16, "f16", "f32", 128}}};
  devices[1].caps.heap_bytes = 24ull << 30;
  devices[1].caps.heap_budget_bytes = (23ull << 30) + (1ull << 29);
  devices[2] = devices[1];
  devices[3].caps.name = "Ancient";
  devices[3].rejection = "supports Vulkan 1.1 only, 1.3 is needed";
  return devices;
}

TEST(DeviceReport, GivesAReasonForEveryDevice) {
  const std::vector<vk::PhysicalDevice> devices = machine();
  EXPECT_THAT(choice_reasons(devices, &devices[1], ""),
              ElementsAre("not chosen: a device of type discrete is preferred to one of type cpu",
                          "chosen: the best usable device (discrete)",
                          "not chosen: the first of several like it is taken",
                          "cannot be used: it supports Vulkan 1.1 only, 1.3 is needed"));
  EXPECT_THAT(choice_reasons(devices, &devices[0], "soft"),
              ElementsAre("chosen: --device soft", HasSubstr("--device soft is another one"),
                          HasSubstr("--device soft is another one"), HasSubstr("cannot be used")));
  const std::vector<vk::PhysicalDevice> unusable = {devices[3]};
  EXPECT_THAT(choice_reasons(unusable, nullptr, ""), ElementsAre(HasSubstr("cannot be used")));
}

TEST(DeviceReport, TableShowsLimitsAndMatrices) {
  const std::vector<vk::PhysicalDevice> devices = machine();
  const std::string table = device_table(devices, &devices[1], "");
  EXPECT_THAT(table, HasSubstr("1: Radeon\n   choice          chosen"));
  EXPECT_THAT(table, HasSubstr("memory          24 GiB, 23.5 GiB free for us\n"));
  EXPECT_THAT(table, HasSubstr("matrices        16x16x16 f16 -> f32, 16x16x16 s8 -> s32\n"));
  EXPECT_THAT(table, HasSubstr("matrices        none\n"));
  EXPECT_THAT(table,
              HasSubstr("matrices 2      workgroup scope, reductions; 32x16x8 f16 -> f32 of a subgroup, "
                        "32x32x16 f16 -> f32 of 128 invocations\n"));
  EXPECT_THAT(table,
              testing::EndsWith("3: Ancient\n   choice          cannot be used: it supports Vulkan 1.1 only, "
                                "1.3 is needed\n"));
}

TEST(DeviceReport, JsonHoldsTheSame) {
  const std::vector<vk::PhysicalDevice> devices = machine();
  const nlohmann::ordered_json json = devices_json(devices, &devices[1], "");
  EXPECT_EQ(json["chosen"], 1);
  ASSERT_EQ(json["devices"].size(), 4u);
  EXPECT_EQ(json["devices"][1]["heap_bytes"], 24ull << 30);
  EXPECT_EQ(json["devices"][1]["cooperative_matrices"][0]["result_type"], "f32");
  EXPECT_EQ(json["devices"][0]["cooperative_matrix2"], nullptr);
  EXPECT_EQ(json["devices"][1]["cooperative_matrix2"]["max_dimension"], 512);
  EXPECT_EQ(json["devices"][1]["cooperative_matrix2"]["shapes"][1]["invocations"], 128);
  EXPECT_EQ(json["devices"][3]["usable"], false);
  EXPECT_EQ(devices_json({devices[3]}, nullptr, "")["chosen"], nullptr);
}

}  // namespace
}  // namespace vkgpt::cli
