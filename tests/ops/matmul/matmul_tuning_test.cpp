#include "vkgpt/ops/matmul/matmul_tuning.hpp"

#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "vkgpt/core/check.hpp"
#include "vkgpt/ops/backend.hpp"
#include "vkgpt/ops/matmul/matmul.hpp"

namespace vkgpt::ops {
namespace {

using testing::ElementsAre;
using testing::Pair;
using vk::Backend;

constexpr const char* kKey = "nt f32 128x96x64 bias";

vk::DeviceCaps card() {
  vk::DeviceCaps caps;
  caps.storage_16bit = true;
  return caps;
}

/// The forward product with a bias and the gradient of its weight.
plan::Plan plan_of(const vk::DeviceCaps& caps) {
  plan::PlanBuilder builder(caps);
  builder.begin_segment("op");
  const auto tensor = [&](const char* name, Shape shape) {
    return builder.persistent(name, std::move(shape), plan::Role::kActivations);
  };
  const plan::Tensor x = tensor("x", {2, 64, 64}), w = tensor("w", {96, 64}), y = tensor("y", {2, 64, 96});
  linear_forward(builder, {.x = x, .weight = w, .bias = tensor("bias", {96}), .y = y});
  linear_backward_weight(builder, {.dy = y, .x = x, .dweight = tensor("dw", {96, 64})});
  return std::move(builder).finish();
}

TEST(MatmulTuning, AWatchNotesTheProductsOfPlans) {
  const MatmulWatch watch;
  plan_of(card());
  plan_of(card());
  EXPECT_THAT(watch.products(), ElementsAre(Pair(kKey, 2), Pair("tn f32 96x64x128 accumulate", 2)));
  EXPECT_EQ(matmul_flops(kKey), 2.0 * 128 * 96 * 64);
}

TEST(MatmulTuning, AKeyGivesTheProductBack) {
  for (const std::string key :
       {kKey, "nt f16 7x5x3 bias gelu", "nt f32 1x9x33 accumulate", "nn bf16 64x64x64 gelu_grad accumulate",
        "nn f32 3x5x7", "tn f16 64x48x100 accumulate row_sums", "tn f32 8x8x8"}) {
    SCOPED_TRACE(key);
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
      EXPECT_GE(flops, 2 * matmul_flops(key)) << to_string(kernel);
    }
  }
}

TEST(MatmulTuning, RefusesOtherTexts) {
  for (const char* text :
       {"", "nt", "nt f32", "nt f32 1x2", "nt f32 1x2x3x4", "nt f32 0x2x3", "nt f32 1x2x3 relu",
        "tt f32 1x2x3", "nt i32 1x2x3", "nt f32 1x2x99999999999999999999", "nt f32 1x2x3 "}) {
    EXPECT_THROW(matmul_flops(text), CheckFailure) << text;
    EXPECT_THROW(matmul_candidates(card(), text), CheckFailure) << text;
  }
}

std::string kernel_of(const vk::DeviceCaps& caps) {
  const plan::Plan plan = plan_of(caps);
  return plan.segments[0].dispatches[0].kernel.stem;
}

TEST(MatmulTuning, AMeasurementDecidesUnlessTheUserDoes) {
  vk::DeviceCaps caps = card();
  const std::vector<MatmulKernel> kernels = matmul_candidates(caps, kKey);
  const std::string usual = kernel_of(caps);
  EXPECT_EQ(kernels.back().backend, Backend::kScalar);
  caps.kernels.measured[kKey] = "scalar";
  EXPECT_EQ(kernel_of(caps), "linear_forward");
  // What is no kernel, or none for this product, is ignored.
  for (const char* text : {"", "scalar!", "simt 1x1x1 1x1", "nv 128x128x32", "cuda", "simt 128x64"}) {
    caps.kernels.measured[kKey] = text;
    EXPECT_EQ(kernel_of(caps), usual) << text;
  }
  caps.kernels = {.matmul = kernels[0].backend, .measured = {{kKey, "scalar"}}};
  EXPECT_EQ(kernel_of(caps), usual);

  // A CPU's order has no other kernels, but a measurement may choose one, unless it is switched off.
  caps.kernels = {};
  caps.type = vk::DeviceType::kCpu;
  EXPECT_EQ(kernel_of(caps), "linear_forward");
  const std::vector<MatmulKernel> all = matmul_candidates(caps, kKey);
  EXPECT_EQ(all[0].backend, Backend::kScalar);
  ASSERT_EQ(all.back().backend, Backend::kSimt);
  caps.kernels.measured[kKey] = to_string(all.back());
  EXPECT_EQ(kernel_of(caps), "linear_forward_simt");
  caps.kernels.disabled = {"matmul simt"};
  EXPECT_EQ(kernel_of(caps), "linear_forward");
}

}  // namespace
}  // namespace vkgpt::ops
