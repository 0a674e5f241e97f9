#include "vkgpt/plan/kernel_list.hpp"

#include <cstddef>
#include <string>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "vkgpt/core/error.hpp"
#include "vkgpt/ops/cast.hpp"
#include "vkgpt/ops/fill.hpp"
#include "vkgpt/plan/executor.hpp"
#include "vkgpt/plan/plan_builder.hpp"

#include "gpu_context.hpp"

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

/// The refusal of a plan that copies x to y, bindings 0 and 1, with these accesses; "none" where it runs.
std::string difference(Access of_x, Access of_y) {
  vk::Context& context = test::shared_context();
  PlanBuilder builder(context.caps());
  const Tensor x = builder.persistent("x", {64}, Role::kActivations);
  const Tensor y = builder.persistent("y", {64}, Role::kActivations, DType::kF16);
  builder.begin_segment("s");
  ops::cast(builder, x, y);
  Plan plan = std::move(builder).finish();
  Dispatch& dispatch = plan.segments[0].dispatches.at(0);
  dispatch.bindings.at(0).access = of_x;
  dispatch.bindings.at(1).access = of_y;
  TensorStore store(context);
  Executor executor(context, store, make_schedule(plan, context.caps()));
  try {
    executor.record("s");
  } catch (const Error& error) {
    return error.what();
  }
  return "none";
}

TEST(GpuKernelList, AccessesThatThePlanDoesNotKnowOfAreRefused) {
  if (!test::stores(DType::kF16)) GTEST_SKIP() << "no 16-bit storage";
  EXPECT_EQ(difference(Access::kRead, Access::kWrite), "none");
  EXPECT_EQ(difference(Access::kReadWrite, Access::kReadWrite), "none") << "a plan may promise less";
  EXPECT_THAT(
      difference(Access::kWrite, Access::kWrite),
      testing::MatchesRegex("kernel cast .*: its shader reads binding 0, which the plan only writes"));
  EXPECT_THAT(
      difference(Access::kRead, Access::kRead),
      testing::MatchesRegex("kernel cast .*: its shader writes binding 1, which the plan only reads"));
}

}  // namespace
}  // namespace vkgpt::plan
