#include "vkgpt/ops/matmul/matmul_tuning.hpp"

#include <map>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "vkgpt/ops/backend.hpp"
#include "vkgpt/ops/matmul/matmul.hpp"

namespace vkgpt::ops {
namespace {

using testing::ElementsAre;
using testing::Pair;
using vk::Backend;

constexpr const char* kKey = "nt f32 128x96x64 bias";

vk::Target card() {
  vk::Target target;
  target.caps.storage_16bit = true;
  return target;
}

/// The forward product with a bias and the gradient of its weight.
plan::Plan plan_of(const vk::Target& target) {
  plan::PlanBuilder builder(target);
  builder.begin_segment("op");
  const auto tensor = [&](const char* name, Shape shape) {
    return builder.persistent(name, std::move(shape), plan::Role::kActivations);
  };
  const plan::Tensor x = tensor("x", {2, 64, 64}), w = tensor("w", {96, 64}), y = tensor("y", {2, 64, 96});
  linear_forward(builder, {.x = x, .weight = w, .bias = tensor("bias", {96}), .y = y});
  linear_backward_weight(builder, {.dy = y, .x = x, .dweight = tensor("dw", {96, 64})});
  return std::move(builder).finish();
}

TEST(MatmulTuning, DispatchesCarryTheKeysOfTheirProducts) {
  std::map<std::string, double> flops;
  const plan::Plan plan = plan_of(card());
  for (const plan::Dispatch& dispatch : plan.segment("op").dispatches) {
    if (!dispatch.work.empty()) flops[dispatch.work] += static_cast<double>(dispatch.cost.flops);
  }
  const double product = 2.0 * 128 * 96 * 64;
  EXPECT_THAT(flops, ElementsAre(Pair(kKey, product), Pair("tn f32 96x64x128 accumulate", product)));
}

TEST(MatmulTuning, AKeyGivesTheProductBack) {
  for (const std::string text :
       {kKey, "nt f16 7x5x3 bias gelu", "nt f32 1x9x33 accumulate", "nn bf16 64x64x64 gelu_grad accumulate",
        "nn f32 3x5x7", "tn f16 64x48x100 accumulate row_sums", "tn f32 8x8x8"}) {
    SCOPED_TRACE(text);
    ASSERT_TRUE(parse_matmul_key(text));
    const MatmulKey key = *parse_matmul_key(text);
    EXPECT_EQ(to_string(key), text);
    const std::vector<MatmulKernel> kernels = matmul_candidates(card(), key);
    ASSERT_FALSE(kernels.empty());
    for (const MatmulKernel& kernel : kernels) {
      plan::PlanBuilder builder(card());
      builder.begin_segment("op");
      append_matmul(builder, key, kernel);
      append_matmul(builder, key, kernel);
      double flops = 0;
      const plan::Plan plan = std::move(builder).finish();
      for (const plan::Dispatch& dispatch : plan.segment("op").dispatches) {
        flops += static_cast<double>(dispatch.cost.flops);
      }
      EXPECT_GE(flops, 2 * key.flops()) << to_string(kernel);
      EXPECT_EQ(plan.segment("op").dispatches[0].work, text);
    }
  }
}

TEST(MatmulTuning, AKernelGivesItsTextBack) {
  for (const std::string text : {"scalar", "simt 128x64x16 8x4 k3", "khr 128x128x32 64x64 l32 b1 k4",
                                 "khr 64x64x32 32x32 l64", "nv 128x256x64"}) {
    ASSERT_TRUE(parse_matmul_kernel(text)) << text;
    EXPECT_EQ(to_string(*parse_matmul_kernel(text)), text);
  }
}

TEST(MatmulTuning, RefusesOtherTexts) {
  for (const char* text :
       {"", "nt", "nt f32", "nt f32 1x2", "nt f32 1x2x3x4", "nt f32 0x2x3", "nt f32 1x2x3 relu",
        "tt f32 1x2x3", "nt i32 1x2x3", "nt f32 1x2x99999999999999999999", "nt f32 1x2x3 "}) {
    EXPECT_FALSE(parse_matmul_key(text)) << text;
  }
}

std::string kernel_of(const vk::Target& target) {
  const plan::Plan plan = plan_of(target);
  return plan.segments[0].dispatches[0].kernel.stem;
}

TEST(MatmulTuning, AMeasurementDecidesUnlessTheUserDoes) {
  vk::Target target = card();
  const MatmulKey key = *parse_matmul_key(kKey);
  const std::vector<MatmulKernel> kernels = matmul_candidates(target, key);
  const std::string usual = kernel_of(target);
  EXPECT_EQ(kernels.back().backend, Backend::kScalar);
  target.kernels.measured[kKey] = "scalar";
  EXPECT_EQ(kernel_of(target), "linear_forward");
  // What is no kernel, or none for this product, is ignored.
  for (const char* text : {"", "scalar!", "simt 1x1x1 1x1", "nv 128x128x32", "cuda", "simt 128x64"}) {
    target.kernels.measured[kKey] = text;
    EXPECT_EQ(kernel_of(target), usual) << text;
  }
  target.kernels = {.matmul = kernels[0].backend, .measured = {{kKey, "scalar"}}};
  EXPECT_EQ(kernel_of(target), usual);

  // A CPU's order has no other kernels, but a measurement may choose one, unless it is switched off.
  target.kernels = {};
  target.caps.type = vk::DeviceType::kCpu;
  EXPECT_EQ(kernel_of(target), "linear_forward");
  const std::vector<MatmulKernel> all = matmul_candidates(target, key);
  EXPECT_EQ(all[0].backend, Backend::kScalar);
  ASSERT_EQ(all.back().backend, Backend::kSimt);
  target.kernels.measured[kKey] = to_string(all.back());
  EXPECT_EQ(kernel_of(target), "linear_forward_simt");
  target.kernels.disabled = {"matmul simt"};
  EXPECT_EQ(kernel_of(target), "linear_forward");
}

}  // namespace
}  // namespace vkgpt::ops
