#include "vkgpt/ops/activation.hpp"

#include <gtest/gtest.h>

#include "vkgpt/core/check.hpp"

namespace vkgpt::ops {
namespace {

TEST(Activation, RefusesWhatDoesNotFit) {
  vk::DeviceCaps caps;
  caps.storage_16bit = true;
  plan::PlanBuilder builder{caps};
  builder.begin_segment("op");
  const auto make = [&](const char* name, const Shape& shape, DType dtype = DType::kF32) {
    return builder.persistent(name, shape, plan::Role::kActivations, dtype);
  };
  const plan::Tensor x = make("x", {4}), y = make("y", {5}), half = make("half", {4}, DType::kF16);
  EXPECT_THROW(activation_forward(builder, Activation::kGelu, x, y), CheckFailure);
  EXPECT_THROW(activation_forward(builder, Activation::kGelu, x, half), CheckFailure);
  const plan::Tensor wide = make("wide", {3, 8}), narrow = make("narrow", {3, 4});
  EXPECT_NO_THROW(swiglu_forward(builder, wide, narrow));
  EXPECT_THROW(swiglu_forward(builder, narrow, wide), CheckFailure);
  EXPECT_THROW(swiglu_forward(builder, wide, make("three", {3, 3})), CheckFailure);
}

TEST(Activation, RefusesADeviceWithout16BitStorage) {
  plan::PlanBuilder builder{vk::DeviceCaps{}};
  builder.begin_segment("op");
  const plan::Tensor x = builder.persistent("x", {4}, plan::Role::kActivations, DType::kBF16);
  const plan::Tensor y = builder.persistent("y", {4}, plan::Role::kActivations, DType::kBF16);
  EXPECT_THROW(activation_forward(builder, Activation::kGelu, x, y), CheckFailure);
}

}  // namespace
}  // namespace vkgpt::ops
