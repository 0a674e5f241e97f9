#include <algorithm>
#include <format>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "vkgpt/ops/matmul/matmul.hpp"
#include "vkgpt/plan/schedule.hpp"

#include "gpu_context.hpp"
#include "ops/op_runner.hpp"
#include "reference/compare.hpp"
#include "reference/matmul.hpp"

namespace vkgpt::ops {
namespace {

using reference::random_floats;
using reference::to_double;
using reference::Vector;

/// y (M, N) = x (M, K) W^T, W (N, K).
struct Sizes {
  std::int64_t M, N, K;

  std::size_t m() const { return static_cast<std::size_t>(M); }
  std::size_t n() const { return static_cast<std::size_t>(N); }
  std::size_t k() const { return static_cast<std::size_t>(K); }
};

/// `base` taken for a GPU that was found to be fastest with `kernel`, where it has it.
vk::Target measured_target(vk::DeviceCaps base, const Sizes& s, const std::string& kernel) {
  base.type = vk::DeviceType::kDiscrete;
  return {base,
          {.matmul = vk::Backend::kSimt,
           .measured = {{std::format("nt f32 {}x{}x{} bias gelu", s.M, s.N, s.K), kernel},
                        {std::format("nn f32 {}x{}x{} gelu_grad", s.M, s.K, s.N), kernel},
                        {std::format("tn f32 {}x{}x{} accumulate row_sums", s.N, s.K, s.M), kernel}}}};
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
  return std::format("{}x{}x{} {}x{}", macro(d, "BM"), macro(d, "BN"), macro(d, "BK"), macro(d, "TM"),
                     macro(d, "TN"));
}

/// All three products, twice: what they add to is then what the first run left.
void expect_products(const vk::Target& target, const Sizes& s) {
  const std::vector<float> x = random_floats(s.m() * s.k(), 1), weight = random_floats(s.n() * s.k(), 2);
  const std::vector<float> bias = random_floats(s.n(), 3), dy = random_floats(s.m() * s.n(), 4, 3.0F);
  const std::vector<float> pre = random_floats(s.m() * s.k(), 5, 2.0F);
  const std::vector<float> old_dweight = random_floats(s.n() * s.k(), 6), old_dbias = random_floats(s.n(), 7);
  test::OpRunner runner(target);
  const Operands t{.x = runner.input({s.M, s.K}, x),
                   .weight = runner.input({s.N, s.K}, weight),
                   .bias = runner.input({s.N}, bias),
                   .pre = runner.output({s.M, s.N}),
                   .y = runner.output({s.M, s.N}),
                   .dy = runner.input({s.M, s.N}, dy),
                   .pre_gelu = runner.input({s.M, s.K}, pre),
                   .dx = runner.output({s.M, s.K}),
                   .dweight = runner.input({s.N, s.K}, old_dweight),
                   .dbias = runner.input({s.N}, old_dbias)};
  append_all(runner.builder(), t);
  runner.run();
  const Vector expected_pre =
      reference::linear_forward(to_double(x), to_double(weight), to_double(bias), s.m(), s.n(), s.k());
  const reference::LinearGradients expected =
      reference::linear_backward(to_double(dy), to_double(x), to_double(weight), s.m(), s.n(), s.k());
  reference::expect_close(runner.floats(t.pre), expected_pre);
  reference::expect_close(runner.floats(t.y), reference::gelu_forward(expected_pre));
  reference::expect_close(runner.floats(t.dx), reference::gelu_backward(expected.dx, to_double(pre)));
  reference::expect_close(runner.floats(t.dweight), reference::add(expected.dweight, to_double(old_dweight)));
  reference::expect_close(runner.floats(t.dbias), reference::add(expected.dbias, to_double(old_dbias)));
  const std::vector<std::uint32_t> first = runner.words(t.dweight), first_bias = runner.words(t.dbias);
  runner.set(t.dweight, old_dweight);
  runner.set(t.dbias, old_dbias);
  runner.run();
  EXPECT_EQ(runner.words(t.dweight), first);
  EXPECT_EQ(runner.words(t.dbias), first_bias);
}

bool is_instrumented() {
  return test::shared_context().instance().validation() == vk::ValidationMode::kGpu;
}

class GpuMatmulSimt : public testing::TestWithParam<const char*> {};

TEST_P(GpuMatmulSimt, ComputesByThisTile) {
  if (is_instrumented()) GTEST_SKIP() << "the accesses are those of the smallest tile";
  const Sizes sizes{131, 140, 36};
  const std::string tile = GetParam();
  const vk::Target target = measured_target(test::shared_context().caps(), sizes, "simt " + tile);
  for (const plan::Dispatch& d : schedule_of(target, sizes).plan.segment("op").dispatches) {
    EXPECT_EQ(tile_of(d), tile) << d.label;
  }
  expect_products(target, sizes);
}

INSTANTIATE_TEST_SUITE_P(Tiles, GpuMatmulSimt,
                         testing::Values("128x128x8 8x8", "128x64x8 8x8", "128x64x16 8x4", "64x64x8 8x4",
                                         "64x64x16 4x4", "32x32x16 4x4"),
                         [](const auto& param) {
                           std::string name = param.param;
                           std::ranges::replace(name, ' ', '_');
                           return name;
                         });

// The last of its parts is short; rows of words, and odd ones.
TEST(GpuMatmulSplitK, AddsThePartsInOrder) {
  for (const std::int64_t width : {12, 7}) {
    if (is_instrumented() && width == 7) continue;
    const Sizes sizes{1030, 40 + width, width};
    SCOPED_TRACE(testing::Message() << width);
    expect_products(measured_target(test::shared_context().caps(), sizes, "simt 32x32x16 4x4 k4"), sizes);
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
  for (const plan::Dispatch& d : dispatches) parts += d.kernel.stem == "linear_backward_weight_simt" ? 1 : 0;
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
