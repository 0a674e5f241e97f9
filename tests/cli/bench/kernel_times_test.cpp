#include "cli/bench/kernel_times.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace vkgpt::cli {
namespace {

std::vector<plan::DispatchTime> dispatches() {
  return {
      {.label = "h0/norm", .stem = "norm", .cost = {.flops = 1000, .bytes = 10'000}, .nanoseconds = 1000},
      {.label = "h0/fc", .stem = "linear", .cost = {.flops = 800'000, .bytes = 10'000}, .nanoseconds = 8000},
      {.label = "h1/norm", .stem = "norm", .cost = {.flops = 1000, .bytes = 10'000}, .nanoseconds = 1000}};
}

TEST(TimeByKernel, AddsUpDispatchesAndPutsTheLongestFirst) {
  const std::vector<KernelTime> kernels =
      time_by_kernel(dispatches(), DType::kF32, {.copy = 20, .fma_f32 = 200});
  ASSERT_EQ(kernels.size(), 2U);
  EXPECT_EQ(kernels[0].stem, "linear");
  EXPECT_EQ(kernels[0].calls, 1);
  EXPECT_DOUBLE_EQ(kernels[0].milliseconds, 8e-3);
  EXPECT_DOUBLE_EQ(kernels[0].part, 0.8);
  EXPECT_DOUBLE_EQ(kernels[0].gflops, 100);
  EXPECT_DOUBLE_EQ(kernels[0].share, 0.5);
  EXPECT_EQ(kernels[1].calls, 2);
  EXPECT_DOUBLE_EQ(kernels[1].gigabytes_per_second, 10);
  EXPECT_DOUBLE_EQ(kernels[1].share, 0.5);
}

TEST(TimeByKernel, AClockTooCoarseGivesNoInfinities) {
  const std::vector<plan::DispatchTime> none = {
      {.label = "x", .stem = "x", .cost = {.flops = 1, .bytes = 1}, .nanoseconds = 0}};
  const std::vector<KernelTime> kernels = time_by_kernel(none, DType::kF32, {});
  EXPECT_TRUE(std::isfinite(kernels[0].gflops));
  EXPECT_EQ(kernels[0].part, 0);
  EXPECT_TRUE(kernel_times_json(kernels)[0]["share"].is_null());
}

TEST(KernelTimeTable, HasALineForEachKernel) {
  const std::vector<KernelTime> kernels = time_by_kernel(dispatches(), DType::kF32, {});
  const std::string table = kernel_time_table(kernels);
  EXPECT_THAT(
      table, testing::HasSubstr(
                 "linear                                1      0.008   80.0     100.0      1.2         -\n"));
  EXPECT_EQ(std::ranges::count(table, '\n'), 3);
}

}  // namespace
}  // namespace vkgpt::cli
