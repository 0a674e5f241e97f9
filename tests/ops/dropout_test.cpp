#include "vkgpt/ops/dropout.hpp"

#include <vector>

#include <gtest/gtest.h>

#include "vkgpt/core/check.hpp"

#include "ops/op_runner.hpp"

namespace vkgpt::ops {
namespace {

double dropped_share(const std::vector<float>& y) {
  double zeros = 0;
  for (const float value : y) zeros += value == 0.0F ? 1 : 0;
  return zeros / static_cast<double>(y.size());
}

TEST(GpuDropout, TheShareThatIsDroppedIsP) {
  constexpr std::int64_t kCount = 100000;
  const std::vector<float> ones(kCount, 1.0F);
  test::OpRunner runner;
  const plan::Tensor x = runner.input({kCount}, ones);
  const plan::Tensor none = runner.output({kCount}), tenth = runner.output({kCount}),
                     other = runner.output({kCount});
  dropout(runner.builder(), x, none, {.p = 0.0, .site = 1});
  dropout(runner.builder(), x, tenth, {.p = 0.1, .site = 1});
  dropout(runner.builder(), x, other, {.p = 0.1, .site = 2});
  runner.run({.seed_lo = 0x9abcdef0, .seed_hi = 0x12345678});
  EXPECT_EQ(runner.floats(none), ones);
  EXPECT_NEAR(dropped_share(runner.floats(tenth)), 0.1, 0.004);  // four standard deviations
  EXPECT_NEAR(dropped_share(runner.floats(other)), 0.1, 0.004);
  EXPECT_NE(runner.floats(other), runner.floats(tenth));
}

TEST(Dropout, RefusesWhatIsNoProbability) {
  plan::PlanBuilder builder{vk::DeviceCaps{}};
  builder.begin_segment("op");
  const plan::Tensor x = builder.persistent("x", {4}, plan::Role::kActivations);
  const plan::Tensor y = builder.persistent("y", {4}, plan::Role::kActivations);
  EXPECT_NO_THROW(dropout(builder, x, y, {.p = 0.5}));
  EXPECT_THROW(dropout(builder, x, y, {.p = 1.0}), CheckFailure);
  EXPECT_THROW(dropout(builder, x, y, {.p = -0.1}), CheckFailure);
  EXPECT_THROW(dropout(builder, x, y, {.p = 0.5, .site = 1U << 24}), CheckFailure);
  const plan::Tensor half = builder.persistent("half", {4}, plan::Role::kActivations, DType::kF16);
  EXPECT_THROW(dropout(builder, x, half, {.p = 0.5}), CheckFailure);  // these caps have no 16-bit storage
}

}  // namespace
}  // namespace vkgpt::ops
