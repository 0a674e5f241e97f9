#include "vkgpt/ops/launch.hpp"

#include <gtest/gtest.h>

#include "vkgpt/core/check.hpp"
#include "vkgpt/plan/limits.hpp"

#include "ops/grid.hpp"

namespace vkgpt::ops {
namespace {

TEST(Launch, SlicesCoverAllRowsWithinTheLimit) {
  vk::DeviceCaps caps;
  caps.max_storage_buffer_range = 100 * 40;
  std::int64_t next = 0;
  for (const Slice slice : row_slices(caps, 300, 40)) {
    EXPECT_EQ(slice.first, next);
    EXPECT_EQ(slice.first % 64, 0);
    EXPECT_LE(slice.count * 40, 4000);
    next += slice.count;
  }
  EXPECT_EQ(next, 300);
  EXPECT_EQ(row_slices(caps, 100, 40).size(), 1U);
  EXPECT_EQ(element_slices(caps, 1001).size(), 2U);
  EXPECT_THROW(row_slices(caps, 300, 4000), plan::TooLarge);
}

TEST(Launch, BindingsNarrowToTheirSlice) {
  const plan::Binding whole{plan::TensorId{}, 256, 4000, plan::Access::kRead};
  const plan::Binding part = matrix_rows(whole, 10, {64, 36});
  EXPECT_EQ(part.offset, 256U + 64 * 40);
  EXPECT_EQ(part.size, 36U * 40);
  EXPECT_THROW(matrix_rows(whole, 10, {64, 37}), CheckFailure);
  EXPECT_THROW(elements(whole, {0, 1001}), CheckFailure);
}

TEST(Launch, IntelsSmallestSubgroupsHaveTheMostRegisters) {
  vk::DeviceCaps caps;
  caps.min_subgroup_size = 8;
  caps.subgroup_size_control = true;
  EXPECT_EQ(register_budget(caps).subgroup, 32U);
  EXPECT_EQ(register_budget(caps).required_size, 32U);
  caps.vendor_id = vk::kVendorIntel;
  EXPECT_EQ(register_budget(caps).subgroup, 8U);
  EXPECT_EQ(register_budget(caps).required_size, 8U);
  EXPECT_EQ(register_budget(caps).registers, 128U);
  caps.subgroup_size_control = false;
  EXPECT_EQ(register_budget(caps).subgroup, 8U);
  EXPECT_EQ(register_budget(caps).required_size, 0U);
}

TEST(Launch, TheOnlySubgroupSizeIsKnownWithoutControl) {
  vk::DeviceCaps caps;  // as NVK: 32 to 32, not selectable
  EXPECT_EQ(register_budget(caps).required_size, 32U);
  EXPECT_EQ(subgroup_per_row(caps, "x", 1).kernel.subgroup_size, 32U);
  caps.max_subgroup_size = 64;
  EXPECT_EQ(subgroup_per_row(caps, "x", 1).kernel.subgroup_size, 0U);
}

TEST(Launch, GridsCoverTheWork) {
  vk::DeviceCaps caps;
  caps.max_workgroup_count = {100, 100, 1};
  const plan::Dispatch dispatch = subgroup_per_row(caps, "x", 30000);
  const std::uint64_t subgroups = dispatch.kernel.spec_constants[0] / caps.subgroup_size;
  EXPECT_GE(std::uint64_t{dispatch.groups[0]} * dispatch.groups[1] * subgroups, 30000U);
  EXPECT_LE(dispatch.groups[0], 100U);
  EXPECT_THROW(workgroups(caps, "x", 10001, 1), plan::TooLarge);

  caps.type = vk::DeviceType::kCpu;
  EXPECT_EQ(subgroups_per_workgroup(caps), 1U);
}

}  // namespace
}  // namespace vkgpt::ops
