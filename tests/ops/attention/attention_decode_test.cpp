// Attention over a cache: how its work is divided, and that a row's bits do not depend on others.

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <span>
#include <vector>

#include <gtest/gtest.h>

#include "vkgpt/check/numbers.hpp"
#include "vkgpt/ops/attention/attention.hpp"

#include "gpu_context.hpp"
#include "ops/op_runner.hpp"

namespace vkgpt::ops {
namespace {

constexpr std::int64_t kSlots = 5, kHeads = 4, kKvHeads = 2, kHeadSize = 16, kContext = 600;
constexpr std::int64_t kWidth = (kHeads + 2 * kKvHeads) * kHeadSize;

vk::Target as_a_gpu() {
  vk::Target target = test::shared_context().target();
  target.caps.type = vk::DeviceType::kDiscrete;
  return target;
}

/// The dispatches of a step of `rows` rows, with a window where that is not 0.
std::vector<plan::Dispatch> step_of(const vk::Target& target, std::int64_t rows, std::int64_t context,
                                    std::int64_t window = 0) {
  plan::PlanBuilder builder(target);
  const Shape cache{kSlots, kKvHeads, context, kHeadSize};
  builder.begin_segment("op");
  attention_decode(builder,
                   {.qkv = builder.persistent("qkv", {rows, kWidth}, plan::Role::kParameters),
                    .places = builder.upload("places", {rows, 2}, DType::kI32),
                    .k_cache = builder.persistent("k", cache, plan::Role::kCache),
                    .v_cache = builder.persistent("v", cache, plan::Role::kCache),
                    .out = builder.persistent("out", {rows, kHeads * kHeadSize}, plan::Role::kParameters),
                    .n_head = kHeads,
                    .n_kv_head = kKvHeads,
                    .window = window});
  return std::move(builder).finish().segments[0].dispatches;
}

std::int64_t groups(const plan::Dispatch& dispatch) {
  return std::int64_t{dispatch.groups[0]} * dispatch.groups[1];
}

TEST(AttentionDecode, DividesKeysAmongAsManyWorkgroupsAsFillTheDevice) {
  vk::Target gpu;
  gpu.caps.type = vk::DeviceType::kDiscrete;
  gpu.caps.subgroup_size = gpu.caps.min_subgroup_size = gpu.caps.max_subgroup_size = 32;
  gpu.caps.compute_units = 132;
  gpu.caps.max_workgroup_invocations = 1024;
  gpu.caps.max_workgroup_size = {1024, 1024, 64};
  gpu.caps.max_workgroup_count = {65535, 65535, 65535};
  gpu.caps.max_storage_buffer_range = 1U << 30;
  EXPECT_EQ(step_of(gpu, 1, 128).size(), 1);
  EXPECT_EQ(step_of(gpu, 1, 1024).size(), 2);
  EXPECT_EQ(groups(step_of(gpu, 1, 1024)[0]), kHeads * 1024 / 128);
  // 512 x 132 invocations are 132 workgroups of 128 a head: 249 keys each, which are two rounds.
  EXPECT_EQ(groups(step_of(gpu, 1, 32768)[0]), kHeads * 32768 / 256);
  EXPECT_EQ(groups(step_of(gpu, 3, 32768)[0]), 3 * kHeads * 32768 / 256);
  // A window of 300 keys lies in at most 4 blocks of 128.
  EXPECT_EQ(groups(step_of(gpu, 1, 32768, 300)[0]), kHeads * 4);
  gpu.caps.type = vk::DeviceType::kCpu;
  EXPECT_EQ(step_of(gpu, 1, 32768).size(), 1);
}

/// The outputs of the rows at `places`, each of (position, slot); qkv and caches are the same in all calls.
std::vector<float> decoded(std::span<const std::int32_t> places, std::int64_t window, DType dtype) {
  const auto rows = static_cast<std::int64_t>(places.size() / 2);
  test::OpRunner runner(as_a_gpu());
  std::vector<float> qkv;
  for (std::int64_t r = 0; r < rows; ++r) {
    const std::vector<float> row = check::random_floats(
        kWidth, 10 + static_cast<std::uint64_t>(places[static_cast<std::size_t>(2 * r)]));
    qkv.insert(qkv.end(), row.begin(), row.end());
  }
  const Shape cache{kSlots, kKvHeads, kContext, kHeadSize};
  const auto count = static_cast<std::size_t>(cache.numel());
  const plan::Tensor out = runner.output({rows, kHeads * kHeadSize}, dtype);
  attention_decode(runner.builder(), {.qkv = runner.input({rows, kWidth}, qkv, dtype),
                                      .places = runner.input({rows, 2}, places),
                                      .k_cache = runner.input(cache, check::random_floats(count, 1), dtype),
                                      .v_cache = runner.input(cache, check::random_floats(count, 2), dtype),
                                      .out = out,
                                      .n_head = kHeads,
                                      .n_kv_head = kKvHeads,
                                      .window = window});
  runner.run();
  return runner.floats(out);
}

TEST(GpuAttentionDecode, OfARowHasTheSameBitsAloneAndAmongOthers) {
  const std::vector<std::int32_t> places = {599, 3, 0, 1, 0, -1, 127, 0, 128, 2, 300, 4};
  for (const DType dtype : {DType::kF32, DType::kF16}) {
    if (!test::stores(dtype)) continue;
    for (const std::int64_t window : {0, 150}) {
      const std::vector<float> all = decoded(places, window, dtype);
      for (std::size_t r = 0; r < places.size() / 2; ++r) {
        const std::vector<float> alone = decoded(std::span(places).subspan(2 * r, 2), window, dtype);
        EXPECT_TRUE(std::ranges::equal(alone, std::span(all).subspan(r * alone.size(), alone.size())))
            << "row " << r << " window " << window << ' ' << dtype_name(dtype);
      }
    }
  }
}

}  // namespace
}  // namespace vkgpt::ops
