#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "vkgpt/ops/backend.hpp"

#include "cli/bench/backend_sweep.hpp"
#include "cli/bench/bench.hpp"
#include "cli/bench/segment_clock.hpp"
#include "cli/run_vkgpt.hpp"

namespace vkgpt::cli {
namespace {

using testing::Contains;
using testing::HasSubstr;

TEST(OnlyBackend, LeavesTheScalarOneForTheRest) {
  vk::Target target;
  vk::DeviceCaps& caps = target.caps;
  caps.cooperative_matrices = {{.m = 16, .n = 16, .k = 16, .ab_type = "f16", .result_type = "f32"}};
  caps.subgroup_size_control = true;
  caps.shader_f16 = caps.storage_16bit = true;
  const vk::Target khr = only_backend(target, "matmul", vk::Backend::kKhr);
  EXPECT_THAT(ops::backend_order(khr, "matmul", DType::kF16),
              testing::ElementsAre(vk::Backend::kKhr, vk::Backend::kScalar));
  EXPECT_THAT(ops::backend_order(khr, "matmul", DType::kF32), testing::ElementsAre(vk::Backend::kScalar));
  EXPECT_EQ(ops::backend_order(khr, "attention", DType::kF16),
            ops::backend_order(target, "attention", DType::kF16));
}

TEST(HasOtherKernels, ComparesStemsAndVariants) {
  plan::Segment scalar, same, variant;
  scalar.dispatches = {{.kernel = {.stem = "attention_forward", .macros = plan::Macros{}.value("HS", 64)}}};
  same.dispatches = {{.kernel = {.stem = "attention_forward", .macros = plan::Macros{}.value("HS", 64)},
                      .groups = {7, 1, 1}}};
  variant.dispatches = {
      {.kernel = {.stem = "attention_forward", .macros = plan::Macros{}.value("HS", 64).flag("SHARED")}}};
  EXPECT_FALSE(has_other_kernels(same, scalar));
  EXPECT_TRUE(has_other_kernels(variant, scalar));
}

TEST(RepeatsOf, LongWorkIsRepeatedLess) {
  vk::DeviceCaps gpu, cpu;
  cpu.type = vk::DeviceType::kCpu;
  const plan::Cost small{.flops = 1000, .bytes = 1000};
  const plan::Cost large{.flops = 137'438'953'472, .bytes = 200'000'000};
  EXPECT_EQ(repeats_of(cpu, large), 1);
  EXPECT_EQ(repeats_of(cpu, small), 16);
  EXPECT_EQ(repeats_of(gpu, large), 4);
  EXPECT_EQ(repeats_of(gpu, small), 64);
}

TEST(ModelGemms, AreThoseOfGpt2Once) {
  model::GptConfig model;
  model.vocab_size = 50257;
  model.n_embd = 768;
  model.n_head = 12;
  const std::vector<check::GemmShape> shapes = model_gemms(model, 8192);
  EXPECT_THAT(shapes, Contains(check::GemmShape{"nt", 8192, 2304, 768}));  // q | k | v
  EXPECT_THAT(shapes, Contains(check::GemmShape{"nn", 8192, 768, 2304}));
  EXPECT_THAT(shapes, Contains(check::GemmShape{"tn", 2304, 768, 8192}));
  EXPECT_THAT(shapes, Contains(check::GemmShape{"nt", 8192, 768, 3072}));  // out of the MLP
  EXPECT_THAT(shapes, Contains(check::GemmShape{"nt", 640, 50304, 768}));  // the head, by chunks
  EXPECT_EQ(shapes.size(), 3U * 5);
}

TEST(BenchCommand, UnknownBenchmarksAreUsageErrors) {
  const RunResult result = run_vkgpt({"bench", "gems"});
  EXPECT_EQ(result.code, 2);
  EXPECT_THAT(result.err, HasSubstr("unknown benchmark 'gems': expected one of start|gemm|attention"));
  EXPECT_THAT(result.err, HasSubstr("or an op: norm, residual, "));
}

TEST(GpuBenchCommand, TimesEveryBackendOfTheDevice) {
  const RunResult result = run_vkgpt({"bench", "gemm", "--gemm_size", "64", "--json"});
  ASSERT_EQ(result.code, 0) << result.err;
  const nlohmann::json record = nlohmann::json::parse(result.out);
  EXPECT_GT(record["limits"]["copy"], 0);
  EXPECT_GT(record["limits"]["fma f32"], 0);
  std::vector<std::string> names;
  for (const nlohmann::json& figure : record["figures"]) {
    names.push_back(figure["name"]);
    EXPECT_EQ(figure["unit"], "GFLOP/s");
    EXPECT_GT(figure["rate"], 0);
    EXPECT_GT(figure["share"], 0);
  }
  for (const char* form : {"nn", "nt", "tn"}) {
    EXPECT_THAT(names, Contains(std::string(form) + " f32 64x64x64 scalar"));
  }
}

TEST(GpuBenchCommand, TimesAnOpAtTheSizesOfItsTable) {
  const RunResult result = run_vkgpt({"bench", "norm", "--json"});
  ASSERT_EQ(result.code, 0) << result.err;
  std::vector<std::string> names;
  const nlohmann::json record = nlohmann::json::parse(result.out);
  for (const nlohmann::json& figure : record["figures"]) {
    names.push_back(figure["name"]);
    EXPECT_EQ(figure["bench"], "norm");
    EXPECT_EQ(figure["unit"], "GB/s");
    EXPECT_GT(figure["rate"], 0);
  }
  EXPECT_THAT(names,
              testing::UnorderedElementsAre(
                  "f32 layernorm 8192x768 residual forward", "f32 layernorm 8192x768 residual backward",
                  "f32 rmsnorm 8192x768 residual forward", "f32 rmsnorm 8192x768 residual backward",
                  "f32 rmsnorm1p 8192x768 residual forward", "f32 rmsnorm1p 8192x768 residual backward"));
}

TEST(GpuBenchCommand, TimesTheOthersOnATinyModel) {
  for (const std::string bench : {"step", "decode"}) {
    const RunResult result = run_vkgpt({"bench", bench, "--n_layer", "1", "--n_embd", "32", "--n_head", "2",
                                        "--block_size", "16", "--batch_size", "2", "--json"});
    ASSERT_EQ(result.code, 0) << result.err;
    const nlohmann::json record = nlohmann::json::parse(result.out);
    ASSERT_EQ(record["figures"].size(), bench == "step" ? 1U : 4U);
    for (const nlohmann::json& figure : record["figures"]) {
      EXPECT_EQ(figure["unit"], "tokens/s");
      EXPECT_GT(figure["rate"], 0);
    }
    if (bench != "step") continue;
    const nlohmann::json& step = record["step"];
    EXPECT_DOUBLE_EQ(step["mfu"].get<double>(),
                     step["gflops"].get<double>() / step["mfu_peak_gflops"].get<double>());
    double part = 0;
    for (const nlohmann::json& kernel : step["kernels"]) part += kernel["part"].get<double>();
    EXPECT_NEAR(part, 1, 1e-9);
  }
}

}  // namespace
}  // namespace vkgpt::cli
