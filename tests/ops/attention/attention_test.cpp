#include "vkgpt/ops/attention/attention.hpp"

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "vkgpt/check/op_table.hpp"
#include "vkgpt/core/check.hpp"

#include "gpu_context.hpp"
#include "ops/op_runner.hpp"

namespace vkgpt::ops {
namespace {

struct Size {
  std::int64_t B = 0, T, NH, NKV, HS, window = 0;
  DType dtype = DType::kF32;
  Dropout dropout = {};

  std::int64_t width() const { return (NH + 2 * NKV) * HS; }
};

constexpr StepParams kStep{.seed_lo = 0x12345678, .seed_hi = 0x9abcdef0, .dropout_step = 77};

/// A forward and a backward on one runner.
struct BothPasses {
  BothPasses(test::OpRunner& runner, const Size& s, const std::vector<float>& qkv_values)
      : qkv(runner.input({s.B, s.T, s.width()}, qkv_values, s.dtype)),
        out(runner.output({s.B, s.T, s.NH * s.HS}, s.dtype)),
        lse(runner.output({s.B, s.NH, s.T})),
        dqkv(runner.output({s.B, s.T, s.width()}, s.dtype)) {
    const auto count = static_cast<std::size_t>(s.B * s.T * s.NH * s.HS);
    const plan::Tensor dout = runner.input({s.B, s.T, s.NH * s.HS}, check::random_floats(count, 2), s.dtype);
    attention_forward(runner.builder(), {.qkv = qkv,
                                         .out = out,
                                         .lse = lse,
                                         .n_head = s.NH,
                                         .n_kv_head = s.NKV,
                                         .window = s.window,
                                         .dropout = s.dropout});
    attention_backward(runner.builder(), {.dout = dout,
                                          .qkv = qkv,
                                          .out = out,
                                          .lse = lse,
                                          .dqkv = dqkv,
                                          .n_head = s.NH,
                                          .n_kv_head = s.NKV,
                                          .window = s.window,
                                          .dropout = s.dropout});
  }

  plan::Tensor qkv, out, lse, dqkv;
};

std::vector<float> random_qkv(const Size& s) {
  return check::random_floats(static_cast<std::size_t>(s.B * s.T * s.width()), 1, 2.0F);
}

/// `s` over so many sequences that bindings are cut into three slices gives the bits of one slice.
void expect_slices_change_nothing(Size s) {
  vk::DeviceCaps caps = test::shared_context().caps();
  caps.storage_buffer_alignment = std::max<std::uint64_t>(64, caps.storage_buffer_alignment);
  // lse has 72 or 80 bytes a sequence: only every so many start at an aligned offset.
  const auto granule = static_cast<std::int64_t>(caps.storage_buffer_alignment / 8);
  s.B = 2 * granule + 4;
  test::OpRunner whole(vk::Target{caps, test::shared_context().target().kernels});
  const BothPasses expected(whole, s, random_qkv(s));
  whole.run(kStep);
  caps.max_storage_buffer_range = static_cast<std::uint64_t>(granule * s.T * s.width()) * dtype_size(s.dtype);
  test::OpRunner sliced(vk::Target{caps, test::shared_context().target().kernels});
  const BothPasses actual(sliced, s, random_qkv(s));
  sliced.run(kStep);
  EXPECT_EQ(sliced.plan().segment("op").dispatches.size(), 3 * whole.plan().segment("op").dispatches.size());
  EXPECT_EQ(sliced.words(actual.out), whole.words(expected.out));
  EXPECT_EQ(sliced.words(actual.lse), whole.words(expected.lse));
  EXPECT_EQ(sliced.words(actual.dqkv), whole.words(expected.dqkv));
}

TEST(GpuAttention, SlicesOverSequencesGiveTheSameBits) {
  expect_slices_change_nothing({.T = 6, .NH = 3, .NKV = 3, .HS = 20});
  if (!test::stores(DType::kF16)) return;
  expect_slices_change_nothing({.T = 5,
                                .NH = 4,
                                .NKV = 2,
                                .HS = 24,
                                .window = 3,
                                .dtype = DType::kF16,
                                .dropout = {.p = 0.5, .site = 3}});
}

TEST(GpuAttention, DoesNotSeeTheFuture) {
  constexpr std::int64_t kSeen = 19;
  for (const vk::Backend backend : {vk::Backend::kScalar, vk::Backend::kSimt}) {
    for (const bool is_gpu : {false, true}) {
      const Size size{.B = 1, .T = 37, .NH = 2, .NKV = 2, .HS = is_gpu ? 24 : 20};
      test::OpRunner runner(check::target_of(test::shared_context().target(), "attention",
                                             {.backend = backend, .is_gpu = is_gpu}));
      std::vector<float> qkv = random_qkv(size);
      const BothPasses both(runner, size, qkv);
      runner.run();
      const std::vector<std::uint32_t> out = runner.words(both.out);
      for (auto value = qkv.begin() + kSeen * size.width(); value != qkv.end(); ++value) *value *= -9;
      runner.set(both.qkv, qkv);
      runner.run();
      const std::vector<std::uint32_t> changed = runner.words(both.out);
      const auto seen = kSeen * size.NH * size.HS;
      EXPECT_TRUE(std::equal(out.begin(), out.begin() + seen, changed.begin()));
      EXPECT_FALSE(std::equal(out.begin() + seen, out.end(), changed.begin() + seen));
    }
  }
}

TEST(Attention, RefusesShapesThatDoNotFit) {
  plan::PlanBuilder builder{vk::DeviceCaps{}};
  builder.begin_segment("op");
  const auto tensor = [&](Shape shape) { return builder.transient("t", std::move(shape)); };
  const auto forward = [&](Shape qkv, Shape out, Shape lse, std::int64_t n_head) {
    attention_forward(builder, {.qkv = tensor(std::move(qkv)),
                                .out = tensor(std::move(out)),
                                .lse = tensor(std::move(lse)),
                                .n_head = n_head});
  };
  EXPECT_NO_THROW(forward({2, 8, 192}, {2, 8, 64}, {2, 4, 8}, 4));
  EXPECT_THROW(forward({2, 8, 192}, {2, 8, 64}, {2, 8, 4}, 4), CheckFailure);   // lse (B, T, NH)
  EXPECT_THROW(forward({2, 8, 192}, {2, 8, 192}, {2, 4, 8}, 4), CheckFailure);  // out of 3C
  EXPECT_THROW(forward({2, 8, 192}, {2, 8, 64}, {2, 3, 8}, 3), CheckFailure);   // 3 does not divide C
  EXPECT_THROW(forward({2, 8, 18}, {2, 8, 6}, {2, 1, 8}, 1), CheckFailure);     // head size 6
  EXPECT_THROW(forward({1, 8, 780}, {1, 8, 260}, {1, 1, 8}, 1), CheckFailure);  // head size 260
  const auto fill = [&](std::int64_t places, Shape v_cache) {
    attention_cache_fill(builder, {.qkv = tensor({8, 96}),
                                   .places = builder.transient("t", {places, 2}, DType::kI32),
                                   .k_cache = tensor({3, 2, 7, 16}),
                                   .v_cache = tensor(std::move(v_cache)),
                                   .n_head = 2});
  };
  EXPECT_NO_THROW(fill(8, {3, 2, 7, 16}));
  EXPECT_THROW(fill(7, {3, 2, 7, 16}), CheckFailure);
  EXPECT_THROW(fill(8, {3, 2, 8, 16}), CheckFailure);
}

TEST(Attention, BoundsTheWorkOfADispatch) {
  vk::DeviceCaps caps;
  caps.type = vk::DeviceType::kCpu;
  plan::PlanBuilder builder{caps};
  builder.begin_segment("op");
  constexpr std::int64_t B = 32, T = 256, NH = 12, C = 768;
  attention_forward(builder, {.qkv = builder.persistent("qkv", {B, T, 3 * C}, plan::Role::kActivations),
                              .out = builder.transient("out", {B, T, C}),
                              .lse = builder.transient("lse", {B, NH, T}),
                              .n_head = NH});
  const plan::Plan plan = std::move(builder).finish();
  std::uint64_t flops = 0;
  for (const plan::Dispatch& dispatch : plan.segments[0].dispatches) {
    EXPECT_LE(dispatch.cost.flops, 500'000'000U);
    flops += dispatch.cost.flops;
  }
  EXPECT_EQ(flops, 2ULL * 32 * 256 * 257 * 768);
}

}  // namespace
}  // namespace vkgpt::ops
