#include "vkgpt/ops/cross_entropy.hpp"

#include <gtest/gtest.h>

#include "vkgpt/core/check.hpp"

namespace vkgpt::ops {
namespace {

TEST(CrossEntropy, RefusesRowsBeyondTheTargets) {
  plan::PlanBuilder builder{vk::DeviceCaps{}};
  builder.begin_segment("op");
  CrossEntropy args{.logits = builder.persistent("logits", {4, 64}, plan::Role::kActivations),
                    .targets = builder.persistent("targets", {6}, plan::Role::kInputs, DType::kI32),
                    .losses = builder.persistent("losses", {6}, plan::Role::kActivations),
                    .first_row = 2,
                    .V = 60};
  EXPECT_NO_THROW(cross_entropy_forward(builder, args));
  args.first_row = 3;
  EXPECT_THROW(cross_entropy_forward(builder, args), CheckFailure);
  args.first_row = 0;
  args.V = 65;
  EXPECT_THROW(cross_entropy_forward(builder, args), CheckFailure);
  args.V = 60;
  EXPECT_THROW(cross_entropy_fused(builder, args, 1, {.label_smoothing = 1}), CheckFailure);
  EXPECT_THROW(cross_entropy_fused(builder, args, 1, {.z_loss = -1}), CheckFailure);
  args.softcap = -1;
  EXPECT_THROW(cross_entropy_forward(builder, args), CheckFailure);
}

}  // namespace
}  // namespace vkgpt::ops
