#include <optional>
#include <span>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "vkgpt/ops/matmul/matmul_key.hpp"
#include "vkgpt/vk/kernel_record.hpp"

#include "cli/device/tune.hpp"
#include "cli/run_vkgpt.hpp"
#include "gpu_context.hpp"
#include "support/temp_directory.hpp"

namespace vkgpt::cli {
namespace {

using testing::HasSubstr;

const std::vector<std::string> kTinyModel = {"--n_layer",    "1",  "--n_embd",     "32", "--n_head", "2",
                                             "--block_size", "16", "--batch_size", "2"};

RunResult run_on_tiny_model(std::vector<std::string> args, const TempDirectory& cache) {
  args.insert(args.end(), kTinyModel.begin(), kTinyModel.end());
  args.insert(args.end(), {"--device", test::shared_context().caps().uuid});
  return run_vkgpt(args, {"XDG_CACHE_HOME=" + cache.path().string()});
}

TEST(GpuTune, TimesTheUsualKernelAndKeepsTheBest) {
  const auto tuned = tune_product(test::shared_context(), test::shared_context().target(),
                                  ops::parse_matmul_key("nt f32 64x64x64 bias").value(), 0.0);
  ASSERT_TRUE(tuned.has_value());
  EXPECT_EQ(tuned->candidates, 1U);  // no time for others
  EXPECT_EQ(tuned->best, tuned->usual);
  EXPECT_GT(tuned->usual_seconds, 0);
}

const ops::MatmulKey kProduct = ops::parse_matmul_key("tn f32 64x64x64 accumulate").value();

std::optional<TunedProduct> tune_with(float error_of_simt) {
  vk::Context& context = test::shared_context();
  return tune_product(context, context.target(), kProduct, 1e9,
                      [=](const ops::MatmulKernel& kernel, std::span<float> values) {
                        if (kernel.backend == vk::Backend::kSimt) values[7] += error_of_simt;
                      });
}

TEST(GpuTune, AWrongKernelIsNotTakenAndItsBackendIsOff) {
  const auto tuned = tune_with(3);
  ASSERT_TRUE(tuned.has_value());
  EXPECT_GE(tuned->candidates, 1U);
  EXPECT_NE(tuned->best.backend, vk::Backend::kSimt);
  ASSERT_FALSE(tuned->wrong.empty());
  for (const WrongKernel& wrong : tuned->wrong) EXPECT_EQ(wrong.kernel.backend, vk::Backend::kSimt);
  vk::KernelRecord record;
  record_tuning(record, std::span(&*tuned, 1), "2026-11-27");
  ASSERT_TRUE(record.wrong.contains("matmul simt"));
  EXPECT_EQ(record.wrong.size(), 1U);
  EXPECT_THAT(record.wrong["matmul simt"].reason, HasSubstr("tn f32 64x64x64"));
}

TEST(GpuTune, OnlyTheProductThatFoundABackendWrongClearsIt) {
  const auto wrong = tune_with(3), right = tune_with(0);
  ASSERT_TRUE(wrong && right);
  vk::KernelRecord record{.measured = {{"nt f32 1x1x1", "scalar"}, {"nt f32 2x2x2", "a kernel of 2019"}}};
  record_tuning(record, std::span(&*wrong, 1), "2026-11-27");
  EXPECT_THAT(record.measured, testing::SizeIs(2));  // without the unknown one
  TunedProduct other = *right;
  other.key = ops::parse_matmul_key("nt f32 64x64x64").value();
  record_tuning(record, std::span(&other, 1), "2026-11-28");
  EXPECT_THAT(record.wrong, testing::SizeIs(1));
  record_tuning(record, std::span(&*right, 1), "2026-11-28");
  EXPECT_THAT(record.wrong, testing::IsEmpty());
}

/// Times of a GPU whose clocks rise while it works: three times as slow at first, then `seconds`.
class ColdDevice {
 public:
  explicit ColdDevice(double seconds) : seconds_(seconds) {}
  double run() {
    const double time = worked_ < 0.05 ? 3 * seconds_ : seconds_;
    worked_ += time;
    ++runs_;
    return time;
  }
  int runs() const { return runs_; }

 private:
  double seconds_, worked_ = 0;
  int runs_ = 0;
};

TEST(Tune, AColdDeviceDoesNotHideTheBestKernel) {
  const auto always = [] { return true; };
  ColdDevice device(0.01);
  EXPECT_EQ(fastest_run([&] { return device.run(); }, 0.075, 0.0101, always), 0.01);
  EXPECT_LE(device.runs(), 12);
  ColdDevice endless(0);  // a clock that stands still
  EXPECT_EQ(fastest_run([&] { return endless.run(); }, 0.075, 1, always), 0);
}

TEST(Tune, AKernelIsHopelessByItsSecondRunOnly) {
  std::vector<double> times = {9, 1, 1, 1, 1};
  std::size_t runs = 0;
  const auto run = [&] { return times.at(runs++); };
  EXPECT_EQ(fastest_run(run, 0, 1, [] { return true; }), 1);
  EXPECT_EQ(runs, 5U);
  times = {9, 9, 1, 1, 1};
  runs = 0;
  EXPECT_EQ(fastest_run(run, 0, 1, [] { return true; }), 9);
  EXPECT_EQ(runs, 2U);
}

TEST(Tune, WhatAnEarlierTuningSwitchedOffIsTriedAgain) {
  vk::Target target;
  const vk::KernelRecord record{.disabled = {{"matmul khr", {}}},
                                .wrong = {{"matmul khr", {}}, {"matmul simt", {}}}};
  record.apply_to(target.kernels);
  EXPECT_THAT(target.kernels.disabled, testing::ElementsAre("matmul khr", "matmul simt"));
  EXPECT_THAT(retried(target, record).kernels.disabled, testing::ElementsAre("matmul khr"));
}

TEST(GpuTuneCommand, KeepsWhatItFoundForThisDevice) {
  const TempDirectory cache;
  const RunResult result = run_on_tiny_model({"tune", "--json", "--seconds", "2"}, cache);
  ASSERT_EQ(result.code, 0) << result.err;
  const nlohmann::json json = nlohmann::json::parse(result.out);
  const vk::KernelRecord record = vk::read_kernel_record(cache / "vkgpt", test::shared_context().caps());
  EXPECT_GE(json["products"].size(), 1U) << result.err;  // as many as the time is enough for
  EXPECT_EQ(record.measured.size(), json["products"].size());
  for (const nlohmann::json& product : json["products"]) {
    const std::string best = product["best"].get<std::string>();
    EXPECT_TRUE(ops::parse_matmul_kernel(best)) << best;
    EXPECT_EQ(record.measured.at(product["key"].get<std::string>()), best);
    EXPECT_GE(product["usual_seconds"], product["best_seconds"]);
  }
  // Plans take it from there.
  EXPECT_EQ(run_on_tiny_model({"kernels"}, cache).code, 0);
}

TEST(GpuTuneCommand, AutomaticBatchIsAUsageError) {
  const RunResult result = run_vkgpt({"tune", "--batch_size", "auto"});
  EXPECT_EQ(result.code, 2);
  EXPECT_THAT(result.err, HasSubstr("--batch_size auto"));
}

}  // namespace
}  // namespace vkgpt::cli
