#include "train/dispatch_share.hpp"

#include <algorithm>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace vkgpt::train {
namespace {

constexpr std::int64_t kWork = 1 << 20;  // of the product when nothing is divided
constexpr std::int64_t kRow = 1 << 14;   // of the least part of it

/// A product that is divided, to rows, and a sum that is not.
plan::Plan plan_of(double share) {
  const auto dispatch = [](std::string stem, std::int64_t flops) {
    plan::Dispatch d;
    d.kernel.stem = std::move(stem);
    d.cost.flops = flops;
    return d;
  };
  plan::Segment segment{.name = "step", .dispatches = {dispatch("sum", kWork)}};
  const std::int64_t part = std::max(kRow, static_cast<std::int64_t>(share * kWork));
  for (std::int64_t done = 0; done < kWork; done += part) {
    segment.dispatches.push_back(dispatch("product", part));
  }
  plan::Plan plan;
  plan.segments.push_back(std::move(segment));
  return plan;
}

double share_of(double product_ns, double sum_ns, double share = 1) {
  const std::vector<plan::DispatchTime> times = {
      {.label = "a", .stem = "product", .cost = {.flops = kWork}, .nanoseconds = product_ns},
      {.label = "b", .stem = "sum", .cost = {.flops = kWork}, .nanoseconds = sum_ns}};
  return share_within(times, 1000, share, plan_of);
}

TEST(DispatchShare, IsTheLargestThatKeepsTheBudget) {
  EXPECT_EQ(share_of(900, 5), 1);
  EXPECT_EQ(share_of(1500, 5), 0.5);
  EXPECT_EQ(share_of(7900, 5), 0.125);
  EXPECT_EQ(share_of(7900, 5, 0.5), 0.125) << "after a loss it begins with less";
}

TEST(DispatchShare, WhatCannotBeDividedIsLeft) {
  EXPECT_EQ(share_of(1e9, 5), 1.0 / 64) << "to the least part, no further";
  EXPECT_EQ(share_of(900, 3000), 1);
  EXPECT_EQ(share_of(5000, 3000), 0.125) << "what can is divided nevertheless";
}

TEST(DispatchShare, NothingMeasuredChangesNothing) {
  EXPECT_EQ(share_within({}, 1000, 0.25, plan_of), 0.25);
}

}  // namespace
}  // namespace vkgpt::train
