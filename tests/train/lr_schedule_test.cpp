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

LrSchedule schedule_of(const char* kind, std::int64_t warmup, std::int64_t steps, std::int64_t decay = 0) {
  TrainConfig config;
  config.learning_rate = 1e-3;
  config.min_lr = 1e-4;
  config.lr_schedule = kind;
  config.warmup_steps = warmup;
  config.max_steps = steps;
  config.lr_decay_steps = decay;
  return LrSchedule(config);
}

TEST(LrSchedule, WsdIsStableThenFallsInALine) {
  const LrSchedule lr = schedule_of("wsd", 100, 1000);
  EXPECT_DOUBLE_EQ(lr.at(49), 1e-3 * 50 / 101);
  EXPECT_DOUBLE_EQ(lr.at(100), 1e-3);
  EXPECT_DOUBLE_EQ(lr.at(800), 1e-3);
  EXPECT_DOUBLE_EQ(lr.at(900), 5.5e-4);
  EXPECT_NEAR(lr.at(999), 1e-4 + 9e-4 / 200, 1e-15);
  EXPECT_DOUBLE_EQ(lr.at(1000), 1e-4);
  // The warm-up is never cut: the decay begins after it.
  const LrSchedule late = schedule_of("wsd", 95, 100);
  EXPECT_DOUBLE_EQ(late.at(95), 1e-3);
  EXPECT_LT(late.at(96), 1e-3);
}

TEST(LrSchedule, LinearAndConstant) {
  const LrSchedule linear = schedule_of("linear", 100, 1100);
  EXPECT_DOUBLE_EQ(linear.at(100), 1e-3);
  EXPECT_DOUBLE_EQ(linear.at(600), 5.5e-4);
  EXPECT_DOUBLE_EQ(linear.at(1100), 1e-4);
  const LrSchedule constant = schedule_of("constant", 10, 100);
  EXPECT_DOUBLE_EQ(constant.at(0), 1e-3 / 11);
  EXPECT_DOUBLE_EQ(constant.at(10), 1e-3);
  EXPECT_DOUBLE_EQ(constant.at(5000), 1e-3);
}

TEST(LrSchedule, DecayMayEndBeforeOrAfterTheRun) {
  EXPECT_DOUBLE_EQ(schedule_of("cosine", 0, 1000, 500).at(500), 1e-4);
  EXPECT_DOUBLE_EQ(schedule_of("cosine", 0, 1000, 2000).at(1000), 5.5e-4);
  for (const char* kind : {"cosine", "wsd", "linear", "constant"}) {
    for (std::int64_t step = 0; step < 30; ++step) {
      EXPECT_TRUE(std::isfinite(schedule_of(kind, 10, 10).at(step)));
      EXPECT_TRUE(std::isfinite(schedule_of(kind, 20, 10).at(step)));
    }
  }
}

}  // namespace
}  // namespace vkgpt::train
