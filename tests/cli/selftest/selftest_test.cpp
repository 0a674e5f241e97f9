#include "cli/selftest/selftest.hpp"

#include <cmath>
#include <csignal>
#include <filesystem>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "vkgpt/core/interrupt.hpp"
#include "vkgpt/vk/result.hpp"

#include "cli/run_vkgpt.hpp"
#include "gpu_context.hpp"
#include "support/paths.hpp"
#include "support/temp_directory.hpp"
#include "vk/shader_source.hpp"

namespace vkgpt::cli {
namespace {

using testing::HasSubstr;
using vk::Backend;

constexpr SelfTestGroup kRope{"rope"}, kKhr{"matmul", Backend::kKhr};

TEST(SelfTest, AFailingBackendIsOffUntilItPasses) {
  vk::KernelRecord record;
  std::vector<SelfTestResult> results = {{.group = kKhr, .variant = "a"},
                                         {.group = kKhr, .variant = "b", .failure = "NMSE 1 exceeds 0"}};
  record_verdict(record, kKhr, results, "2026-11-21");
  ASSERT_TRUE(record.disabled.contains("matmul khr"));
  EXPECT_EQ(record.disabled["matmul khr"].reason, "b: NMSE 1 exceeds 0");
  EXPECT_EQ(record.disabled["matmul khr"].date, "2026-11-21");
  EXPECT_THAT(selftest_line(results[0]), testing::EndsWith("  ok"));
  EXPECT_THAT(selftest_line(results[1]), testing::EndsWith("  NMSE 1 exceeds 0"));
  results.pop_back();
  record_verdict(record, kKhr, results, "2026-11-22");
  EXPECT_TRUE(record.disabled.empty());
}

TEST(SelfTest, APassingBackendStaysOffWhereTheTunerFoundItWrong) {
  vk::KernelRecord record{.wrong = {{"matmul khr", {"nt f16 64x64x64 by khr: NMSE 1", "2026-11-20"}}}};
  const SelfTestResult passed{.group = kKhr, .variant = "a"};
  record_verdict(record, kKhr, std::span(&passed, 1), "2026-11-21");
  vk::KernelChoices choices;
  record.apply_to(choices);
  EXPECT_FALSE(choices.allows("matmul", Backend::kKhr));
}

TEST(SelfTest, WhatNothingCanReplaceIsNeverSwitchedOffButNoted) {
  vk::KernelRecord record{.tested = "2026-11-21"};
  for (const SelfTestGroup& group : {kRope, SelfTestGroup{"matmul", Backend::kScalar}}) {
    const SelfTestResult failed{.group = group, .variant = "a", .failure = "NMSE 1 exceeds 0"};
    record_verdict(record, group, std::span(&failed, 1), "2026-11-21");
  }
  EXPECT_TRUE(record.disabled.empty());
  EXPECT_EQ(record.failed.at("rope").reason, "a: NMSE 1 exceeds 0");
  vk::KernelChoices choices;
  record.apply_to(choices);
  EXPECT_TRUE(choices.measured.empty());  // not tested and found right
  for (const SelfTestGroup& group : {kRope, SelfTestGroup{"matmul", Backend::kScalar}}) {
    const SelfTestResult passed{.group = group, .variant = "a"};
    record_verdict(record, group, std::span(&passed, 1), "2026-11-22");
  }
  EXPECT_TRUE(record.failed.empty());
  record.apply_to(choices);
  EXPECT_TRUE(choices.measured.contains(std::string(vk::kTestedKey)));
}

TEST(GpuSelfTest, ASignalEndsAGroupAndLeavesItAsItWas) {
  vk::Context& context = test::shared_context();
  const SelfTestGroup simt{"matmul", Backend::kSimt};
  vk::KernelRecord before{.disabled = {{simt.name(), {"NMSE 1", "2026-11-01"}}}};
  vk::KernelRecord record = before;
  const auto update = [&](const auto& change) {
    change(record);
    if (record != before) std::raise(SIGTERM);  // once the group runs
  };
  install_interrupt_handlers();
  EXPECT_THROW(test_and_record(context, simt, "2026-11-27", update), Error);
  clear_interrupt();
  EXPECT_EQ(record, before);
}

template <VkResult result>
VKAPI_ATTR VkResult VKAPI_CALL fail_submit(VkQueue, std::uint32_t, const VkSubmitInfo2*, VkFence) {
  return result;
}

/// Whether the backend was off, as often as the record was saved while `submit` failed with `Failure`.
template <typename Failure>
std::vector<bool> saved_while(PFN_vkQueueSubmit2 submit) {
  vk::Context& context = test::shared_context();
  const SelfTestGroup simt{"matmul", Backend::kSimt};
  vk::KernelRecord record;
  std::vector<bool> saved;
  VolkDeviceTable& table = context.device().mutable_table();
  const PFN_vkQueueSubmit2 real = std::exchange(table.vkQueueSubmit2, submit);
  const auto update = [&](const auto& change) {
    change(record);
    saved.push_back(record.disabled.contains(simt.name()));
  };
  EXPECT_THROW(test_and_record(context, simt, "2026-11-27", update), Failure);
  table.vkQueueSubmit2 = real;
  EXPECT_TRUE(record.disabled.empty());
  return saved;
}

TEST(GpuSelfTest, NeitherALostDeviceNorMissingMemorySwitchesAnythingOff) {
  const auto off_only_meanwhile = testing::ElementsAre(true, false);
  EXPECT_THAT(saved_while<vk::DeviceLost>(fail_submit<VK_ERROR_DEVICE_LOST>), off_only_meanwhile);
  EXPECT_THAT(saved_while<vk::OutOfMemory>(fail_submit<VK_ERROR_OUT_OF_DEVICE_MEMORY>), off_only_meanwhile);
}

// The groups that are built fastest; 'vkgpt selftest' runs all of them in the slow suite.
TEST(GpuSelfTest, KernelsPass) {
  for (const char* op : {"rope", "global_norm", "dropout"}) {
    const std::vector<SelfTestResult> results = test_group(test::shared_context(), {op});
    EXPECT_FALSE(results.empty());
    for (const SelfTestResult& result : results) {
      EXPECT_EQ(result.failure, "") << selftest_line(result);
      EXPECT_LE(result.error, result.bound) << selftest_line(result);
    }
  }
}

TEST(GpuSelfTest, APlantedErrorIsFound) {
  const auto results_with = [](auto plant) {
    return test_group(test::shared_context(), kRope, [&](std::span<float> values) { plant(values[7]); });
  };
  for (const SelfTestResult& result : results_with([](float& value) { value += 0.5F; })) {
    EXPECT_THAT(result.failure, HasSubstr("exceeds")) << selftest_line(result);
  }
  for (const SelfTestResult& result : results_with([](float& value) { value = NAN; })) {
    EXPECT_THAT(result.failure, HasSubstr("not finite")) << selftest_line(result);
  }
}

// A new shader needs a case.
TEST(GpuSelfTest, HasACaseForEveryKernel) {
  vk::Context& context = test::shared_context();
  std::set<std::string> tested;
  for (const SelfTestGroup& group : selftest_groups(context.caps()))
    tested.merge(tested_kernels(context, group));
  for (const vk::ShaderSource& source : vk::embedded_shaders()) {
    const std::filesystem::path path(source.name);
    const std::string stem = path.stem();
    if (path.extension() != ".comp" || stem.starts_with("bench_")) continue;
    // Those of devices with other matrices, and what only GPUs take.
    const bool is_optional = stem.ends_with("_khr") || stem.ends_with("_nv") || stem.ends_with("_held") ||
                             stem == "linear_forward_gemv" || stem == "linear_backward_weight_reduce" ||
                             stem == "linear_backward_input_reduce" || stem == "attention_decode_merge";
    EXPECT_TRUE(is_optional || tested.contains(stem)) << stem;
  }
}

TEST(GpuSelfTest, AFolderOfBrokenKernelsSwitchesNothingOff) {
  const TempDirectory temp;
  std::filesystem::copy(test::source_dir() / "shaders", temp / "shaders",
                        std::filesystem::copy_options::recursive);
  write_file(temp / "shaders/linear_forward_simt.comp", "no kernel");
  const RunResult result =
      run_vkgpt({"selftest", "--op", "matmul", "--strict", "--shader_dir", (temp / "shaders").string()},
                {"XDG_CACHE_HOME=" + (temp / "cache").string()});
  EXPECT_EQ(result.code, 1) << result.err;
  EXPECT_THAT(result.err, HasSubstr("matmul simt would be off"));
  EXPECT_EQ(vk::read_kernel_record(temp / "cache/vkgpt", test::shared_context().caps()).disabled.size(), 0U);
  EXPECT_EQ(run_vkgpt({"selftest", "--op", "conv"}).code, 2);
}

TEST(SlowSelfTest, TheProgramTestsEverythingAndKeepsARecord) {
  const TempDirectory cache;
  const std::string device = test::shared_context().caps().uuid;
  const std::vector<std::string> environment = {"XDG_CACHE_HOME=" + cache.path().string()};
  const RunResult result = run_vkgpt({"selftest", "--json", "--strict", "--device", device}, environment);
  ASSERT_EQ(result.code, 0) << result.err;
  const nlohmann::json record = nlohmann::json::parse(result.out);
  EXPECT_EQ(record["failed"], 0);
  EXPECT_GT(record["cases"].size(), 60U);
  for (const nlohmann::json& c : record["cases"]) EXPECT_EQ(c["ok"], true) << c;

  vk::KernelRecord kept = vk::read_kernel_record(cache / "vkgpt", test::shared_context().caps());
  EXPECT_EQ(kept.tested.size(), 10U);
  EXPECT_TRUE(kept.disabled.empty());

  // Switched off by an earlier test, and tuned: the one goes, the other stays.
  kept.disabled["attention simt"] = {"NMSE 1 exceeds 0", "2026-11-01"};
  kept.measured["nt f32 1x1x1"] = "scalar";
  vk::write_kernel_record(cache / "vkgpt", test::shared_context().caps(), kept);
  EXPECT_EQ(run_vkgpt({"selftest", "--op", "attention", "--device", device}, environment).code, 0);
  kept = vk::read_kernel_record(cache / "vkgpt", test::shared_context().caps());
  EXPECT_TRUE(kept.disabled.empty());
  EXPECT_EQ(kept.measured.size(), 1U);
}

}  // namespace
}  // namespace vkgpt::cli
