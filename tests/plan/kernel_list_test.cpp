#include "vkgpt/plan/kernel_list.hpp"

#include <cstddef>

#include <gtest/gtest.h>

#include "vkgpt/ops/fill.hpp"
#include "vkgpt/plan/plan_builder.hpp"

namespace vkgpt::plan {
namespace {

TEST(KernelList, CountsDispatchesOfAPipelineBySegment) {
  PlanBuilder builder(vk::DeviceCaps{});
  const Tensor x = builder.persistent("x", {1024}, Role::kActivations);
  const Tensor y = builder.persistent("y", {1024}, Role::kActivations);
  builder.begin_segment("first");
  ops::fill(builder, x, 0);
  ops::fill(builder, y, 1);
  builder.begin_segment("second");
  ops::fill(builder, x, 2);
  const Plan plan = std::move(builder).finish();

  KernelList kernels;
  add_kernels(kernels, plan);
  ASSERT_EQ(kernels.size(), 1u);
  const auto& [key, use] = *kernels.begin();
  EXPECT_EQ(key.stem, "fill");
  EXPECT_EQ(use.dispatches, (std::map<std::string, std::size_t>{{"first", 2}, {"second", 1}}));
  EXPECT_EQ(use.dispatch_count(), 3u);
  EXPECT_EQ(use.cost.bytes, 3u * 4096);

  add_kernels(kernels, plan);
  EXPECT_EQ(kernels.begin()->second.dispatch_count(), 6u);
}

}  // namespace
}  // namespace vkgpt::plan
