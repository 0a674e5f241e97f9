#include "vkgpt/train/rank_balance.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "vkgpt/core/error.hpp"

namespace vkgpt::train {
namespace {

using testing::ElementsAre;

TEST(MicroStepPlan, DealsThemOutInTurn) {
  const std::vector<double> even(2, 1.0);
  const MicroStepPlan plan = plan_micro_steps(5, even);
  EXPECT_THAT(plan.of(0), ElementsAre(0, 1, 3));
  EXPECT_THAT(plan.of(1), ElementsAre(2, 4));
}

TEST(MicroStepPlan, FollowsShares) {
  for (const std::int64_t steps : {2, 3, 8, 17}) {
    const MicroStepPlan plan = plan_micro_steps(steps, parse_shares("5,3", 2));
    std::vector<std::int64_t> all = plan.of(0);
    for (const std::int64_t k : plan.of(1)) all.push_back(k);
    std::ranges::sort(all);
    for (std::int64_t k = 0; k < steps; ++k) EXPECT_EQ(all[static_cast<std::size_t>(k)], k);
    EXPECT_EQ(std::ssize(all), steps);
    EXPECT_NEAR(static_cast<double>(plan.of(0).size()), 0.625 * static_cast<double>(steps), 1.0);
  }
}

TEST(BalancedCounts, LetAllEndTogether) {
  const std::vector<std::int64_t> even = {4, 4};
  EXPECT_THAT(balanced_counts(even, std::vector<double>{3, 5}), ElementsAre(5, 3));
  EXPECT_THAT(balanced_counts(even, std::vector<double>{1, 100}), ElementsAre(7, 1));
  EXPECT_THAT(balanced_counts(even, std::vector<double>{1, 1.02}), ElementsAre(4, 4));
  EXPECT_THAT(balanced_counts(std::vector<std::int64_t>{6, 1, 1}, std::vector<double>{2, 1, 1}),
              ElementsAre(2, 3, 3));
}

TEST(BalancedCounts, StayWhereNothingWasMeasured) {
  const std::vector<std::int64_t> even = {4, 4};
  EXPECT_EQ(balanced_counts(even, std::vector<double>{0, 5}), even);
}

TEST(BalancedCounts, AreThoseOfTheirPlan) {
  const std::vector<std::int64_t> counts = {2, 3, 3};
  EXPECT_EQ(plan_of_counts(counts).counts(3), counts);
}

TEST(MicroStepPlan, RefusesWhatDoesNotDivide) {
  EXPECT_THROW(plan_micro_steps(1, parse_shares("even", 2)), Error);
  EXPECT_THROW(parse_shares("1,2,3", 2), Error);
  EXPECT_THROW(parse_shares("1,", 2), Error);
  EXPECT_THROW(parse_shares("1,-2", 2), Error);
  EXPECT_THROW(parse_shares("fast", 1), Error);
}

}  // namespace
}  // namespace vkgpt::train
