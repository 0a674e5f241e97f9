#include "cli/bench/bench_figure.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace vkgpt::cli {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr DeviceLimits kLimits = {.copy = 100, .fma_f32 = 1000, .fma_f16 = 2000, .matrix_f16 = 8000};

TEST(DeviceLimits, PeakOfA16BitTypeIsThatOfMatricesWhereTheyAreFaster) {
  EXPECT_EQ(kLimits.peak(DType::kF32), 1000);
  EXPECT_EQ(kLimits.peak(DType::kF16), 8000);
  EXPECT_EQ(kLimits.peak(DType::kBF16), 8000);
  EXPECT_EQ(kLimits.peak_name(DType::kF16), "matrices f16");
  EXPECT_EQ(kLimits.peak_name(DType::kF32), "fma f32");
  const DeviceLimits emulated = {.copy = 10, .fma_f32 = 80, .fma_f16 = 4, .matrix_f16 = 8};
  EXPECT_EQ(emulated.peak(DType::kF16), 80);
  EXPECT_EQ(emulated.peak_name(DType::kF16), "fma f32");
}

TEST(ShareOfLimit, IsTheRoofline) {
  // 1 ms of arithmetic at the peak, 0.5 ms of memory: the arithmetic decides.
  const plan::Cost heavy{.flops = 1'000'000'000, .bytes = 50'000'000};
  EXPECT_DOUBLE_EQ(share_of_limit(heavy, 2e-3, DType::kF32, kLimits), 0.5);
  EXPECT_DOUBLE_EQ(share_of_limit(heavy, 1e-3, DType::kF16, kLimits), 0.5);
  const plan::Cost light{.flops = 1'000'000, .bytes = 100'000'000};
  EXPECT_DOUBLE_EQ(share_of_limit(light, 4e-3, DType::kF32, kLimits), 0.25);
  EXPECT_EQ(share_of_limit(light, 1, DType::kF32, {}), 0);
}

TEST(Figure, RatesAreOperationsOrBytesASecond) {
  const plan::Cost cost{.flops = 2'000'000'000, .bytes = 10'000'000};
  const Figure compute = compute_figure("gemm", "nt", cost, 4e-3, DType::kF32, kLimits);
  EXPECT_DOUBLE_EQ(compute.rate, 500);
  EXPECT_EQ(compute.unit, "GFLOP/s");
  EXPECT_DOUBLE_EQ(compute.share, 0.5);
  EXPECT_DOUBLE_EQ(compute.milliseconds, 4);
  const Figure bandwidth = bandwidth_figure("norm", "forward", {.bytes = 10'000'000}, 1e-3, kLimits);
  EXPECT_DOUBLE_EQ(bandwidth.rate, 10);
  EXPECT_EQ(bandwidth.unit, "GB/s");
  EXPECT_DOUBLE_EQ(bandwidth.share, 0.1);
}

TEST(LimitsText, LeavesOutWhatTheDeviceLacks) {
  EXPECT_EQ(limits_text(kLimits),
            "copy 100.0 GB/s, fma f32 1000 GFLOP/s, fma f16 2000 GFLOP/s, matrices f16 8000 GFLOP/s");
  EXPECT_EQ(limits_text({.copy = 9.25, .fma_f32 = 80}), "copy 9.25 GB/s, fma f32 80.0 GFLOP/s");
}

TEST(FigureTable, HasALineForEachFigure) {
  const std::vector<Figure> figures = {
      {.bench = "gemm", .name = "nt f32", .milliseconds = 1.5, .rate = 44.4, .unit = "GFLOP/s", .share = 0.5},
      {.bench = "start", .name = "first step", .milliseconds = 900, .rate = 0.9, .unit = "s"}};
  const std::string table = figure_table(figures);
  EXPECT_THAT(table, HasSubstr("gemm       nt f32          1.500      44.4 GFLOP/s      50 %\n"));
  EXPECT_THAT(table, HasSubstr("start      first step    900.000      0.90 s                \n"));
}

TEST(ComparisonTable, PutsDevicesSideBySide) {
  const Figure gemm = {
      .bench = "gemm", .name = "nt", .milliseconds = 1, .rate = 40, .unit = "GFLOP/s", .share = 0.5};
  Figure faster = gemm;
  faster.rate = 9000;
  faster.share = 0.9;
  Figure other = gemm;
  other.name = "nt khr";
  const std::vector<DeviceFigures> devices = {
      {.device = "cpu", .driver = "d", .limits = {}, .figures = {gemm}},
      {.device = "gpu", .driver = "d", .limits = {}, .figures = {faster, other}}};
  const std::string table = comparison_table(devices);
  EXPECT_THAT(table, HasSubstr("40.0   50 %"));
  EXPECT_THAT(table, HasSubstr("9000   90 %\n"));
  EXPECT_EQ(std::ranges::count(table, '\n'), 3);
  EXPECT_THAT(table, HasSubstr("nt khr   GFLOP/s                         -"));
}

TEST(FiguresJson, MissingLimitsAndSharesAreNull) {
  const DeviceFigures device = {
      .device = "cpu",
      .driver = "lavapipe",
      .limits = {.copy = 9, .fma_f32 = 80},
      .figures = {
          {.bench = "start", .name = "first step", .milliseconds = 5, .rate = 3, .unit = "s", .share = 0},
          {.bench = "gemm", .name = "nt", .milliseconds = 5, .rate = 40, .unit = "GFLOP/s", .share = 0.5}}};
  const nlohmann::ordered_json record = figures_json(device);
  EXPECT_EQ(record["limits"]["copy"], 9);
  EXPECT_TRUE(record["limits"]["matrices f16"].is_null());
  EXPECT_TRUE(record["figures"][0]["share"].is_null());
  EXPECT_EQ(record["figures"][1]["share"], 0.5);
  EXPECT_EQ(record["figures"][1]["name"], "nt");
}

}  // namespace
}  // namespace vkgpt::cli
