#include "vkgpt/ops/launch.hpp"

#include <algorithm>
#include <array>
#include <vector>

#include <gtest/gtest.h>

#include "vkgpt/core/check.hpp"
#include "vkgpt/ops/weight.hpp"
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
  EXPECT_EQ(row_slices(caps, 1001, 4).size(), 2U);
  plan::PlanBuilder builder(caps);
  const plan::Tensor arena = builder.persistent("arena", {3000}, plan::Role::kParameters);
  builder.cut(arena, std::array<std::int64_t, 1>{640});
  const plan::Tensor half = builder.persistent("half", {3000}, plan::Role::kParameters, DType::kF16);
  std::vector<std::int64_t> firsts;
  for (const Slice slice : element_slices(builder, {arena, half})) {
    EXPECT_LE(slice.count * 4, static_cast<std::int64_t>(caps.max_storage_buffer_range));
    firsts.push_back(slice.first);
  }
  EXPECT_TRUE(std::ranges::contains(firsts, 640)) << "a run begins at the cut";
  EXPECT_THROW(row_slices(caps, 300, 4000), plan::TooLarge);
}

TEST(Launch, RowsOfFourBitNumbersStayWithin32BitIndices) {
  vk::DeviceCaps caps;
  plan::PlanBuilder builder(caps);
  const Weight weight = persistent_blocks(builder, "w", BlockType::kQ4_0, {1 << 19, 1 << 14});
  EXPECT_EQ(weight.row_bytes(), 1 << 13);
  caps.max_storage_buffer_range = 0xffffffff;
  EXPECT_EQ(bound_row_bytes(caps, weight), 1 << 14);
  caps.max_storage_buffer_range = 1 << 27;
  EXPECT_EQ(bound_row_bytes(caps, weight), 1 << 13);
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

TEST(Launch, WhatFillsADeviceFollowsItsUnits) {
  vk::DeviceCaps caps;
  EXPECT_EQ(invocations_to_fill(caps), 65536) << "where the driver tells none";
  caps.compute_units = 132;
  EXPECT_EQ(invocations_to_fill(caps), 132 * 512);
}

TEST(Launch, DispatchesShrinkAfterALoss) {
  vk::DeviceCaps caps;
  const std::int64_t whole = max_dispatch_flops(caps);
  caps.dispatch_share = 0.5;
  EXPECT_EQ(max_dispatch_flops(caps), whole / 2);
}

}  // namespace
}  // namespace vkgpt::ops
