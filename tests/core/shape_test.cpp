#include "vkgpt/core/shape.hpp"

#include <gtest/gtest.h>

#include "vkgpt/core/check.hpp"

namespace vkgpt {
namespace {

TEST(Shape, CountsElementsAndRows) {
  const Shape shape{2, 3, 4};
  EXPECT_EQ(shape.numel(), 24);
  EXPECT_EQ(shape.rows(), 6);
  EXPECT_EQ(shape[-1], 4);
  EXPECT_EQ(shape.to_string(), "(2, 3, 4)");
  EXPECT_EQ(Shape{}.numel(), 1);
}

TEST(Shape, RefusesNegativeAndOverflowingDimensions) {
  EXPECT_THROW(Shape({-1}), CheckFailure);
  EXPECT_THROW(Shape({INT64_MAX, 2}), CheckFailure);
  EXPECT_THROW(Shape({2})[1], CheckFailure);
}

}  // namespace
}  // namespace vkgpt
