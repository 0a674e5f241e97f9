#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "vkgpt/core/format.hpp"
#include "vkgpt/ops/matmul/matmul.hpp"
#include "vkgpt/plan/schedule.hpp"

namespace vkgpt::ops {
namespace {

/// y (M, N) = x (M, K) W^T, W (N, K).
struct Sizes {
  std::int64_t M, N, K;
};

/// `base` taken for a GPU that was found to be fastest with `kernel`, where it has it.
vk::Target measured_target(vk::DeviceCaps base, const Sizes& s, const std::string& kernel) {
  base.type = vk::DeviceType::kDiscrete;
  return {base,
          {.matmul = vk::Backend::kSimt,
           .measured = {{vkgpt::format("nt f32 {}x{}x{} bias gelu", s.M, s.N, s.K), kernel},
                        {vkgpt::format("nn f32 {}x{}x{} gelu_grad", s.M, s.K, s.N), kernel},
                        {vkgpt::format("tn f32 {}x{}x{} accumulate row_sums", s.N, s.K, s.M), kernel}}}};
}

struct Operands {
  plan::Tensor x, weight, bias, pre, y;           // (M, K), (N, K), (N), (M, N) out, (M, N) out
  plan::Tensor dy, pre_gelu, dx, dweight, dbias;  // (M, N), (M, K), (M, K) out, (N, K), (N)
};

void append_all(plan::PlanBuilder& builder, const Operands& t) {
  linear_gelu_forward(builder, {.x = t.x, .weight = t.weight, .bias = t.bias, .pre = t.pre, .y = t.y});
  linear_backward_input(builder, {.dy = t.dy, .weight = t.weight, .dx = t.dx, .pre_gelu = t.pre_gelu});
  linear_backward_weight(builder, {.dy = t.dy, .x = t.x, .dweight = t.dweight, .dbias = t.dbias});
}

plan::Schedule schedule_of(const vk::Target& target, const Sizes& s) {
  plan::PlanBuilder builder(target);
  builder.begin_segment("op");
  const auto declare = [&](const char* name, Shape shape) {
    return builder.persistent(name, std::move(shape), plan::Role::kActivations);
  };
  append_all(builder, {.x = declare("x", {s.M, s.K}),
                       .weight = declare("weight", {s.N, s.K}),
                       .bias = declare("bias", {s.N}),
                       .pre = declare("pre", {s.M, s.N}),
                       .y = declare("y", {s.M, s.N}),
                       .dy = declare("dy", {s.M, s.N}),
                       .pre_gelu = declare("pre_gelu", {s.M, s.K}),
                       .dx = declare("dx", {s.M, s.K}),
                       .dweight = declare("dweight", {s.N, s.K}),
                       .dbias = declare("dbias", {s.N})});
  return plan::make_schedule(std::move(builder).finish(), target.caps);
}

std::string macro(const plan::Dispatch& dispatch, std::string_view name) {
  for (const vk::Macro& m : dispatch.kernel.macros) {
    if (m.name == name) return m.value;
  }
  return {};
}

/// "128x64x8 8x4"
std::string tile_of(const plan::Dispatch& d) {
  return vkgpt::format("{}x{}x{} {}x{}", macro(d, "BM"), macro(d, "BN"), macro(d, "BK"), macro(d, "TM"),
                       macro(d, "TN"));
}

TEST(MatmulSimt, AMeasuredTileIsTaken) {
  vk::DeviceCaps caps;
  caps.shared_memory_bytes = 1 << 16;
  caps.max_workgroup_invocations = caps.max_workgroup_size[0] = 1024;
  const Sizes sizes{131, 140, 36};
  for (const std::string tile :
       {"128x128x8 8x8", "128x64x8 8x8", "128x64x16 8x4", "64x64x8 8x4", "64x64x16 4x4", "32x32x16 4x4"}) {
    const plan::Schedule schedule = schedule_of(measured_target(caps, sizes, "simt " + tile), sizes);
    for (const plan::Dispatch& d : schedule.plan.segment("op").dispatches)
      EXPECT_EQ(tile_of(d), tile) << d.label;
  }
}

TEST(MatmulSplitK, PartsOfKAreComputedSideBySide) {
  vk::DeviceCaps caps;
  caps.shared_memory_bytes = 1 << 16;
  caps.max_workgroup_invocations = caps.max_workgroup_size[0] = 1024;
  const Sizes sizes{4096, 96, 80};
  const plan::Schedule schedule = schedule_of(measured_target(caps, sizes, ""), sizes);
  const std::vector<plan::Dispatch>& dispatches = schedule.plan.segment("op").dispatches;
  std::size_t parts = 0;
  for (const plan::Dispatch& d : dispatches) {
    if (d.kernel.stem == "linear_backward_weight_simt") parts += d.groups[2];
  }
  EXPECT_EQ(parts, 16u);
  EXPECT_EQ(dispatches.back().kernel.stem, "linear_backward_weight_reduce");
  // One before the reduction: nothing else has to wait, bias and input gradients included.
  EXPECT_EQ(schedule.barriers.at(0), (plan::BarrierPlan{dispatches.size() - 1}));
}

// 144 tiles of 128 x 128 take a little more than half of what 65536 invocations could do; 5 times that, 94%.
TEST(MatmulSplitK, FillsTheLastRound) {
  vk::DeviceCaps caps;
  caps.shared_memory_bytes = 1 << 16;
  caps.max_storage_buffer_range = 1ULL << 31;
  caps.max_workgroup_invocations = caps.max_workgroup_size[0] = 1024;
  const auto parts = [&](std::int64_t tokens) {
    std::size_t count = 0;
    const plan::Schedule schedule = schedule_of({caps}, {tokens, 3072, 768});
    for (const plan::Dispatch& d : schedule.plan.segment("op").dispatches) {
      if (d.kernel.stem != "linear_backward_weight_simt") continue;
      EXPECT_EQ(tile_of(d), "128x128x8 8x8");
      ++count;
    }
    return count;
  };
  EXPECT_EQ(parts(65536), 5u);
  EXPECT_EQ(parts(2048), 1u);
}

// The classifier's: few tiles, and K is the vocabulary.
TEST(MatmulSplitK, InputGradientsHavePartsToo) {
  vk::DeviceCaps caps;
  caps.type = vk::DeviceType::kDiscrete;
  caps.shared_memory_bytes = 1 << 16;
  caps.max_storage_buffer_range = 1ULL << 31;
  caps.max_workgroup_invocations = caps.max_workgroup_size[0] = 1024;
  plan::PlanBuilder builder(vk::Target{caps, {.matmul = vk::Backend::kSimt}});
  builder.begin_segment("op");
  const auto declare = [&](const char* name, Shape shape) {
    return builder.persistent(name, std::move(shape), plan::Role::kActivations);
  };
  linear_backward_input(builder, {.dy = declare("dy", {1024, 50304}),
                                  .weight = declare("weight", {50304, 768}),
                                  .dx = declare("dx", {1024, 768})});
  const plan::Plan plan = std::move(builder).finish();
  const std::vector<plan::Dispatch>& dispatches = plan.segment("op").dispatches;
  EXPECT_EQ(dispatches.back().kernel.stem, "linear_backward_input_reduce");
  EXPECT_GT(dispatches.size() + dispatches[0].groups[2], 4U);
}

TEST(MatmulSplitK, ShortSumsAndCpusHaveOnePart) {
  vk::Target target;
  target.caps.max_workgroup_invocations = target.caps.max_workgroup_size[0] = 256;
  const auto has_parts = [](const vk::Target& device, const Sizes& s) {
    const plan::Schedule schedule = schedule_of(device, s);
    return std::ranges::any_of(schedule.plan.segment("op").dispatches, [](const plan::Dispatch& d) {
      return d.kernel.stem == "linear_backward_weight_reduce";
    });
  };
  EXPECT_TRUE(has_parts(target, {1024, 64, 64}));
  EXPECT_FALSE(has_parts(target, {500, 64, 64}));
  target.caps.type = vk::DeviceType::kCpu;
  target.kernels.matmul = vk::Backend::kSimt;
  EXPECT_FALSE(has_parts(target, {1024, 64, 64}));
}

}  // namespace
}  // namespace vkgpt::ops
