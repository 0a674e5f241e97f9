#include "cli/plot/axis.hpp"

#include <gtest/gtest.h>

namespace vkgpt::cli {
namespace {

using Labels = std::vector<std::string>;

TEST(Axis, MarksRoundValues) {
  EXPECT_EQ(tick_labels(linear_axis(0, 1200, 6)), (Labels{"0", "200", "400", "600", "800", "1000", "1200"}));
  EXPECT_EQ(tick_labels(linear_axis(1.87, 4.21, 5)), (Labels{"2.0", "2.5", "3.0", "3.5", "4.0"}));
  EXPECT_EQ(tick_labels(linear_axis(0, 3.1e-3, 4)), (Labels{"0", "1e-3", "2e-3", "3e-3"}));
  EXPECT_EQ(tick_labels(linear_axis(0, 200000, 4)), (Labels{"0", "50k", "100k", "150k", "200k"}));
  EXPECT_EQ(tick_labels(linear_axis(-1, 1, 4)), (Labels{"-1.0", "-0.5", "0", "0.5", "1.0"}));
  EXPECT_EQ(tick_labels(linear_axis(0, 4e6, 4)), (Labels{"0", "1e6", "2e6", "3e6", "4e6"}));
}

TEST(Axis, AnEmptyRangeIsWidened) {
  const Axis axis = linear_axis(4, 4, 4);
  EXPECT_LT(axis.low, 4);
  EXPECT_GT(axis.high, 4);
  EXPECT_FALSE(axis.ticks.empty());
  EXPECT_LT(linear_axis(0, 0, 4).low, 0);
  EXPECT_LT(log_axis(2, 2).low, 2);
}

TEST(Axis, StepsAreWhole) {
  EXPECT_EQ(tick_labels(linear_axis(0, 2, 10, 1)), (Labels{"0", "1", "2"}));
}

TEST(Axis, LogarithmicPlaces) {
  const Axis axis = log_axis(0.1, 1000);
  EXPECT_EQ(tick_labels(axis), (Labels{"0.1", "1", "10", "100", "1000"}));
  EXPECT_DOUBLE_EQ(axis.position(0.1), 0);
  EXPECT_DOUBLE_EQ(axis.position(10), 0.5);
  EXPECT_EQ(tick_labels(log_axis(0.4, 25)), (Labels{"0.5", "1", "2", "5", "10", "20"}));
}

}  // namespace
}  // namespace vkgpt::cli
