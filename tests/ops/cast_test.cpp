#include "vkgpt/ops/cast.hpp"

#include <gtest/gtest.h>

#include "vkgpt/core/check.hpp"

namespace vkgpt::ops {
namespace {

TEST(Cast, RejectsOtherTypesAndCounts) {
  vk::DeviceCaps caps;
  caps.storage_16bit = true;
  plan::PlanBuilder builder(caps);
  builder.begin_segment("op");
  const plan::Tensor x = builder.persistent("x", {64}, plan::Role::kActivations);
  const plan::Tensor y = builder.persistent("y", {65}, plan::Role::kActivations, DType::kF16);
  const plan::Tensor z = builder.persistent("z", {64}, plan::Role::kActivations, DType::kU32);
  EXPECT_THROW(cast(builder, x, y), CheckFailure);
  EXPECT_THROW(cast(builder, x, z), CheckFailure);
  EXPECT_NO_THROW(cast(builder, x, builder.persistent("w", {8, 8}, plan::Role::kActivations, DType::kBF16)));
}

}  // namespace
}  // namespace vkgpt::ops
