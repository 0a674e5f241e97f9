#include "vkgpt/ops/norm.hpp"

#include <gtest/gtest.h>

#include "vkgpt/core/check.hpp"

namespace vkgpt::ops {
namespace {

TEST(Norm, RefusesShapesThatDoNotFit) {
  plan::PlanBuilder builder{vk::DeviceCaps{}};
  builder.begin_segment("op");
  const auto make = [&](const char* name, const Shape& shape) {
    return builder.persistent(name, shape, plan::Role::kActivations);
  };
  NormForward args{.x = make("x", {4, 8}),
                   .weight = make("w", {8}),
                   .bias = make("b", {8}),
                   .y = make("y", {4, 8}),
                   .mean = make("mean", {4}),
                   .rstd = make("rstd", {4})};
  EXPECT_NO_THROW(norm_forward(builder, args));
  args.weight = make("w7", {7});
  EXPECT_THROW(norm_forward(builder, args), CheckFailure);
  args.weight = *args.bias;
  args.mean = make("mean5", {5});
  EXPECT_THROW(norm_forward(builder, args), CheckFailure);
  args.mean = make("mean", {4});
  args.kind = NormKind::kRmsNorm;  // has none
  EXPECT_THROW(norm_forward(builder, args), CheckFailure);
  args.mean.reset();
  EXPECT_NO_THROW(norm_forward(builder, args));
  args.kind = NormKind::kLayerNorm;
  EXPECT_THROW(norm_forward(builder, args), CheckFailure);
}

}  // namespace
}  // namespace vkgpt::ops
