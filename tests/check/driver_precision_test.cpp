// Drivers may compute less exactly than those that the tests run on, within what Vulkan allows: cases hold
// for those too.

#include <algorithm>
#include <span>
#include <string_view>

#include <gtest/gtest.h>

#include "vkgpt/check/op_table.hpp"
#include "vkgpt/plan/kernel_list.hpp"

#include "gpu_context.hpp"

namespace vkgpt::check {
namespace {

const Case& find_case(std::string_view op, std::string_view variant) {
  const auto table = std::ranges::find(op_tables(), op, &OpTable::op);
  const auto found = std::ranges::find(table->cases, variant, &Case::variant);
  EXPECT_NE(found, table->cases.end()) << op << " " << variant;
  return *found;
}

/// The case's failure with every output off by a share of itself.
std::string failure_at(std::string_view op, std::string_view variant, double relative) {
  Trial trial(test::shared_context(), test::shared_context().target());
  find_case(op, variant).build(trial);
  return run_trial(trial,
                   [=](std::span<float> values) {
                     for (float& value : values) value = static_cast<float>(value * (1 + relative));
                   })
      .failure;
}

TEST(GpuDriverPrecision, BoundsAllowWhatVulkanAllows) {
  constexpr double kUlp = 0x1p-23;
  // A square root and a division, and another division.
  EXPECT_EQ(failure_at("global_norm", "f32 4096 clip 0.1", 7 * kUlp), "");
  EXPECT_EQ(failure_at("global_norm", "f32 2500 clip 1 loss_scale", 9.5 * kUlp), "");
  EXPECT_EQ(failure_at("softcap", "f32 tiny to huge", 1.2e-6), "");
  EXPECT_EQ(failure_at("activation", "f32 gelu_erf below 0", 28 * kUlp), "");
}

TEST(GpuDriverPrecision, BoundsStillTellAWrongKernel) {
  EXPECT_NE(failure_at("global_norm", "f32 4096 clip 0.1", 4e-6), "");
  EXPECT_NE(failure_at("softcap", "f32 tiny to huge", 3e-6), "");
  EXPECT_NE(failure_at("activation", "f32 gelu_erf below 0", 1e-5), "");
}

// What has reached its weights stays there only where no compiler makes an interpolation of the update.
TEST(GpuDriverPrecision, AveragesAreNotContracted) {
  constexpr std::uint32_t kDecorate = 71, kNoContraction = 42;
  vk::Context& context = test::shared_context();
  Trial trial(context, context.target());
  const auto table = std::ranges::find(op_tables(), std::string_view("ema"), &OpTable::op);
  table->cases.front().build(trial);
  const plan::Dispatch& dispatch = trial.plan().segments.at(0).dispatches.at(0);
  ASSERT_EQ(dispatch.kernel.stem, "ema_update");
  const std::vector<std::uint32_t> words =
      context.compiler().compile(dispatch.kernel.stem, plan::pipeline_key(dispatch).macros).words;
  int decorated = 0;
  for (std::size_t i = 5; i < words.size() && words[i] >> 16 != 0; i += words[i] >> 16) {
    if ((words[i] & 0xffff) == kDecorate && words[i + 2] == kNoContraction) ++decorated;
  }
  EXPECT_GE(decorated, 3) << "the difference, the product and the sum";
}

}  // namespace
}  // namespace vkgpt::check
