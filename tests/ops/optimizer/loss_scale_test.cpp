#include "vkgpt/ops/optimizer/loss_scale.hpp"

#include <gtest/gtest.h>

namespace vkgpt::ops {
namespace {

TEST(LossScale, StateIsOneTensorOfThePlan) {
  plan::PlanBuilder builder{vk::DeviceCaps{}};
  EXPECT_EQ(loss_scale_state(builder).id, loss_scale_state(builder).id);
}

}  // namespace
}  // namespace vkgpt::ops
