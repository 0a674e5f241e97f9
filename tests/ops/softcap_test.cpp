#include "vkgpt/ops/softcap.hpp"

#include <gtest/gtest.h>

#include "vkgpt/core/check.hpp"

namespace vkgpt::ops {
namespace {

TEST(Softcap, RefusesACapThatIsNone) {
  plan::PlanBuilder builder{vk::DeviceCaps{}};
  builder.begin_segment("op");
  const plan::Tensor x = builder.persistent("x", {4}, plan::Role::kActivations);
  const plan::Tensor y = builder.persistent("y", {4}, plan::Role::kActivations);
  EXPECT_THROW(softcap_forward(builder, x, y, 0), CheckFailure);
}

}  // namespace
}  // namespace vkgpt::ops
