#include "vkgpt/train/rank_cost.hpp"

#include <gtest/gtest.h>

#include "vkgpt/core/error.hpp"

#include "support/tiny_config.hpp"

namespace vkgpt::train {
namespace {

class RankCosts : public testing::Test {
 protected:
  RankCosts() {
    target_.caps.max_allocation_bytes = UINT64_MAX;
    config_.batch_size = 2;
    config_.grad_accum_steps = 8;
  }
  RankCost predict(int ranks, const RankSpeed& speed) const {
    return predict_step(model::GptParams(test::tiny_gpt2_config()), config_, target_, ranks, speed);
  }

  vk::Target target_;
  TrainConfig config_;
};

constexpr RankSpeed kFast = {.micro_step_seconds = 1, .line_bits_per_second = 1e15, .latency_seconds = 1e-9};

TEST_F(RankCosts, AnEndlesslyFastLineCostsNothing) {
  EXPECT_DOUBLE_EQ(predict(1, kFast).efficiency(), 1);
  for (const char* order : {"rank", "step"}) {
    config_.sum_order = order;
    const RankCost cost = predict(4, kFast);
    EXPECT_NEAR(cost.step_seconds, cost.compute_seconds, 1e-2);
    EXPECT_GT(cost.efficiency(), 0.6);
    EXPECT_LE(cost.efficiency(), 1);
  }
}

TEST_F(RankCosts, ASlowLineTakesTheTimeOfItsBytes) {
  const RankCost fast = predict(2, kFast);
  RankSpeed slow = kFast;
  slow.line_bits_per_second = 8.0 * static_cast<double>(fast.sent_bytes) / 100;
  const RankCost cost = predict(2, slow);
  EXPECT_NEAR(cost.step_seconds, fast.compute_seconds + 100 / 0.956, 10);
  EXPECT_EQ(cost.sent_bytes, fast.sent_bytes);
  config_.wire = "bf16";
  EXPECT_NEAR(static_cast<double>(predict(2, slow).sent_bytes), 0.75 * static_cast<double>(cost.sent_bytes),
              0.1 * static_cast<double>(cost.sent_bytes));
}

TEST_F(RankCosts, GradientsTravelWhileTheBackwardGoesOn) {
  config_.bucket_mib = 0.05;
  RankSpeed line = kFast;
  line.line_bits_per_second = 8.0 * static_cast<double>(predict(2, kFast).sent_bytes) / 2;
  const double in_buckets = predict(2, line).step_seconds;
  config_.bucket_mib = 1000;
  EXPECT_LT(in_buckets, predict(2, line).step_seconds);
}

TEST_F(RankCosts, RefusesRanksWithoutWork) {
  config_.grad_accum_steps = 2;
  EXPECT_THROW(predict(4, kFast), Error);
}

}  // namespace
}  // namespace vkgpt::train
