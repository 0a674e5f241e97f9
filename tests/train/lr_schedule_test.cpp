#include "vkgpt/train/lr_schedule.hpp"

#include <cmath>

#include <gtest/gtest.h>

namespace vkgpt::train {
namespace {

LrSchedule schedule(std::int64_t warmup, std::int64_t steps) {
  TrainConfig config;
  config.learning_rate = 1e-3;
  config.min_lr = 1e-4;
  config.warmup_steps = warmup;
  config.max_steps = steps;
  return LrSchedule(config);
}

// Expected values from nanoGPT's get_lr, evaluated in Python.
TEST(LrSchedule, FollowsNanoGpt) {
  const LrSchedule lr = schedule(100, 2000);
  EXPECT_DOUBLE_EQ(lr.at(0), 1e-3 / 101);
  EXPECT_DOUBLE_EQ(lr.at(99), 1e-3 * 100 / 101);
  EXPECT_DOUBLE_EQ(lr.at(100), 1e-3);
  EXPECT_DOUBLE_EQ(lr.at(1050), 5.5e-4);
  EXPECT_NEAR(lr.at(575), 8.681980515339464e-4, 1e-15);
  EXPECT_NEAR(lr.at(1999), 1.0000061514140841e-4, 1e-15);
  EXPECT_DOUBLE_EQ(lr.at(2000), 1e-4);
  EXPECT_DOUBLE_EQ(lr.at(5000), 1e-4);
}

TEST(LrSchedule, IsDefinedAtTheEdges) {
  EXPECT_DOUBLE_EQ(schedule(0, 10).at(0), 1e-3);
  EXPECT_DOUBLE_EQ(schedule(10, 10).at(10), 1e-4);
  EXPECT_DOUBLE_EQ(schedule(100, 5).at(4), 1e-3 * 5 / 101);
  for (std::int64_t step = 0; step < 20; ++step) EXPECT_TRUE(std::isfinite(schedule(10, 10).at(step)));
}

}  // namespace
}  // namespace vkgpt::train
