#include "vkgpt/ops/optimizer/loss_scale.hpp"

#include <bit>
#include <vector>

#include <gtest/gtest.h>

#include "ops/op_runner.hpp"

namespace vkgpt::ops {
namespace {

using test::OpRunner;

/// Scale and clean steps after each of `skips`, which says whether that step was skipped.
std::vector<std::pair<float, std::uint32_t>> run(const LossScaling& scaling, std::vector<bool> skips) {
  OpRunner runner;
  const std::vector<std::uint32_t> initial{std::bit_cast<std::uint32_t>(scaling.initial), 0, 0, 0};
  const std::vector<float> zeros(4);
  const plan::Tensor state = runner.input({4}, initial);
  const plan::Tensor norm = runner.input({4}, std::vector<std::uint32_t>(4));
  loss_scale_update(runner.builder(), state, norm, scaling);
  std::vector<std::pair<float, std::uint32_t>> result;
  for (const bool skip : skips) {
    runner.set(norm, std::vector<float>{1.0F, 1.0F, std::bit_cast<float>(skip ? 1U : 0U), 0.0F});
    runner.run();
    const std::vector<std::uint32_t> words = runner.words(state);
    EXPECT_EQ(words[2], 0U);
    EXPECT_EQ(words[3], 0U);
    result.emplace_back(std::bit_cast<float>(words[0]), words[1]);
  }
  return result;
}

using Course = std::vector<std::pair<float, std::uint32_t>>;

TEST(GpuLossScale, DoublesAfterCleanStepsAndHalvesOnASkip) {
  const LossScaling scaling{.initial = 8, .min = 1, .max = 16777216, .growth_interval = 3};
  EXPECT_EQ(run(scaling, {false, false, false, false, true, false, false, false}),
            (Course{{8, 1}, {8, 2}, {16, 0}, {16, 1}, {8, 0}, {8, 1}, {8, 2}, {16, 0}}));
}

TEST(GpuLossScale, StaysWithinItsBounds) {
  EXPECT_EQ(run({.initial = 2, .min = 1, .max = 4, .growth_interval = 1}, {true, true, false, false, false}),
            (Course{{1, 0}, {1, 0}, {2, 0}, {4, 0}, {4, 0}}));
}

TEST(GpuLossScale, StateIsOneTensorOfThePlan) {
  plan::PlanBuilder builder{vk::DeviceCaps{}};
  EXPECT_EQ(loss_scale_state(builder).id, loss_scale_state(builder).id);
}

}  // namespace
}  // namespace vkgpt::ops
