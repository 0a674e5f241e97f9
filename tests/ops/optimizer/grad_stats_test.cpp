#include "vkgpt/ops/optimizer/grad_stats.hpp"

#include <vector>

#include <gtest/gtest.h>

#include "vkgpt/core/check.hpp"

namespace vkgpt::ops {
namespace {

TEST(GradStats, RefusesAResultOfAnotherSize) {
  plan::PlanBuilder builder{vk::DeviceCaps{}};
  builder.begin_segment("op");
  const std::vector<plan::Tensor> tensors{builder.persistent("g", {64}, plan::Role::kGradients)};
  EXPECT_THROW(grad_stats(builder, tensors, builder.readback("stats", {2, 4})), CheckFailure);
}

}  // namespace
}  // namespace vkgpt::ops
