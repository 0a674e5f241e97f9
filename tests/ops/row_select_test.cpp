#include "vkgpt/ops/row_select.hpp"

#include <gtest/gtest.h>

#include "vkgpt/core/check.hpp"

namespace vkgpt::ops {
namespace {

TEST(RowSelect, RefusesAnotherShapeOrType) {
  vk::DeviceCaps caps;
  caps.storage_16bit = true;
  plan::PlanBuilder builder{caps};
  builder.begin_segment("op");
  const auto make = [&](const char* name, const Shape& shape, DType dtype = DType::kF32) {
    return builder.persistent(name, shape, plan::Role::kActivations, dtype);
  };
  const plan::Tensor x = make("x", {2, 3, 4});
  EXPECT_NO_THROW(row_select_forward(builder, x, make("y", {2, 4})));
  EXPECT_THROW(row_select_forward(builder, x, make("narrow", {2, 3})), CheckFailure);
  EXPECT_THROW(row_select_forward(builder, x, make("half", {2, 4}, DType::kF16)), CheckFailure);
}

}  // namespace
}  // namespace vkgpt::ops
