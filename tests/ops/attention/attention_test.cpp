#include "vkgpt/ops/attention/attention.hpp"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <numeric>
#include <vector>

#include <gtest/gtest.h>

#include "vkgpt/core/check.hpp"

#include "gpu_context.hpp"
#include "ops/attention/attention_case.hpp"
#include "ops/op_runner.hpp"
#include "reference/attention.hpp"
#include "reference/compare.hpp"

namespace vkgpt::ops {
namespace {

using reference::expect_close;
using reference::random_floats;
using reference::to_double;
using test::attention_kernels;
using test::AttentionRun;
using test::is_gpu_assisted;
using test::OpRunner;
using test::part_of;

using Size = test::AttentionCase;

/// Every tile of queries and keys has a tail in some of these. A head of 20 leaves a broadcasting kernel a
/// short last chunk, one of 24 is shared by two invocations on a GPU.
constexpr Size kSizes[] = {{1, 1, 1, 20},   {2, 2, 3, 24},   {3, 3, 2, 20},  {1, 7, 5, 24},  {2, 8, 1, 20},
                           {1, 9, 2, 24},   {3, 31, 2, 20},  {1, 33, 3, 24}, {2, 64, 2, 20}, {1, 65, 4, 24},
                           {2, 100, 1, 20}, {1, 128, 3, 24}, {1, 257, 2, 20}};
constexpr Size kOtherHeadSizes[] = {{3, 9, 2, 16},   {1, 100, 5, 16}, {2, 33, 4, 32},
                                    {1, 128, 1, 32}, {2, 8, 1, 64},   {1, 257, 1, 64},
                                    {1, 7, 2, 100},  {3, 33, 1, 128}, {1, 64, 2, 128}};

bool all_finite(const std::vector<float>& values) {
  return std::ranges::none_of(
      values, [](float value) { return (std::bit_cast<std::uint32_t>(value) & 0x7f800000U) == 0x7f800000U; });
}

void expect_matches_reference(const Size& size) {
  const std::vector<float> qkv = random_floats(3 * size.out_elements(), 1, 2.0F);
  const std::vector<float> dout = random_floats(size.out_elements(), 2, 3.0F);
  const reference::AttentionShape shape = size.reference_shape();
  const reference::Attention expected = reference::attention_forward(to_double(qkv), shape);
  const reference::Vector dqkv = reference::attention_backward(to_double(dout), to_double(qkv), shape);
  for (const test::CapsVariant& variant : attention_kernels(size.HS)) {
    SCOPED_TRACE(testing::Message() << variant.name << ", " << size);
    OpRunner runner(variant.target());
    const AttentionRun both(runner, size, qkv, dout);
    runner.run();
    expect_close(runner.floats(both.out), expected.out);
    expect_close(runner.floats(both.lse), expected.lse);
    const std::vector<float> actual = runner.floats(both.dqkv);
    expect_close(actual, dqkv);
    // With one position p is 1 whatever q and k are: their gradients are zero but for rounding.
    for (int part = 0; part < 3 && size.T > 1; ++part) {
      expect_close(part_of(actual, size, part), part_of(dqkv, size, part));
    }
  }
}

TEST(GpuAttention, ForwardAndBackwardMatchTheReference) {
  for (const Size& size : kSizes) expect_matches_reference(size);
}

TEST(GpuAttention, OtherHeadSizesMatchTheReference) {
  for (const Size& size : kOtherHeadSizes) {
    if (!is_gpu_assisted() || size.HS == 16) expect_matches_reference(size);
  }
}

TEST(GpuAttention, SlicesOverSequencesGiveTheSameBits) {
  vk::DeviceCaps caps = test::shared_context().caps();
  caps.storage_buffer_alignment = std::max<std::uint64_t>(64, caps.storage_buffer_alignment);
  // lse has 72 bytes a sequence: only every so many start at an aligned offset.
  const auto granule = static_cast<std::int64_t>(caps.storage_buffer_alignment / 8);
  const Size size{2 * granule + 4, 6, 3, 20};
  const std::vector<float> qkv = random_floats(3 * size.out_elements(), 3, 2.0F);
  const std::vector<float> dout = random_floats(size.out_elements(), 4);
  OpRunner whole(caps);
  const AttentionRun expected(whole, size, qkv, dout);
  whole.run();

  caps.max_storage_buffer_range = static_cast<std::uint64_t>(granule * size.T * 3 * size.C()) * sizeof(float);
  OpRunner sliced(caps);
  const AttentionRun actual(sliced, size, qkv, dout);
  sliced.run();
  EXPECT_EQ(sliced.time().size(), 3 * whole.time().size());
  EXPECT_EQ(sliced.words(actual.out), whole.words(expected.out));
  EXPECT_EQ(sliced.words(actual.lse), whole.words(expected.lse));
  EXPECT_EQ(sliced.words(actual.dqkv), whole.words(expected.dqkv));
}

TEST(GpuAttention, RepeatsItsBitsAndDoesNotSeeTheFuture) {
  constexpr std::int64_t kSeen = 19;
  for (const std::int64_t HS : {20, 24}) {
    const Size size{1, 37, 2, HS};
    std::vector<float> qkv = random_floats(3 * size.out_elements(), 5, 2.0F);
    for (const test::CapsVariant& variant : attention_kernels(HS)) {
      SCOPED_TRACE(testing::Message() << variant.name << ", " << size);
      OpRunner runner(variant.target());
      const AttentionRun both(runner, size, qkv, random_floats(size.out_elements(), 6));
      runner.run();
      const std::vector<std::uint32_t> out = runner.words(both.out), dqkv = runner.words(both.dqkv);
      runner.run();
      EXPECT_EQ(runner.words(both.out), out);
      EXPECT_EQ(runner.words(both.dqkv), dqkv);

      std::vector<float> other = qkv;
      for (auto value = other.begin() + kSeen * 3 * size.C(); value != other.end(); ++value)
        *value = -*value * 9;
      runner.set(both.qkv, other);
      runner.run();
      const std::vector<std::uint32_t> changed = runner.words(both.out);
      const auto seen = kSeen * size.C();
      EXPECT_TRUE(std::equal(out.begin(), out.begin() + seen, changed.begin()));
      EXPECT_FALSE(std::equal(out.begin() + seen, out.end(), changed.begin() + seen));
    }
  }
}

TEST(GpuAttention, HugeScoresStayFinite) {
  for (const Size& size : {Size{1, 33, 2, 20}, Size{1, 33, 2, 24}}) {
    const std::vector<float> dout = random_floats(size.out_elements(), 8);
    // Scores up to about 1e3, 1e5 and 1e29.
    for (const float scale : {30.0F, 300.0F, 1e14F}) {
      std::vector<float> qkv = random_floats(3 * size.out_elements(), 7);
      for (std::size_t i = 0; i < qkv.size(); ++i) {
        const bool is_value = static_cast<std::int64_t>(i) % (3 * size.C()) >= 2 * size.C();
        if (!is_value) qkv[i] *= scale;
      }
      const reference::Attention expected =
          reference::attention_forward(to_double(qkv), size.reference_shape());
      for (const test::CapsVariant& variant : attention_kernels(size.HS)) {
        SCOPED_TRACE(testing::Message() << variant.name << ", " << size << ", scale " << scale);
        OpRunner runner(variant.target());
        const AttentionRun both(runner, size, qkv, dout);
        runner.run();
        // A score's rounding, 1e-7 of it, is an absolute error of the exponent.
        expect_close(runner.floats(both.out), expected.out, scale < 100 ? 1e-7 : 1e-3);
        expect_close(runner.floats(both.lse), expected.lse);
        EXPECT_TRUE(all_finite(runner.floats(both.dqkv)));
      }
    }
  }
}

/// qkv of one position of all sequences.
std::vector<float> position_of(const std::vector<float>& qkv, const Size& s, std::int64_t t) {
  std::vector<float> result;
  for (std::int64_t b = 0; b < s.B; ++b) {
    const auto row = qkv.begin() + (b * s.T + t) * 3 * s.C();
    result.insert(result.end(), row, row + 3 * s.C());
  }
  return result;
}

/// Runs `decode` for positions [first, T) and compares each with the rows of a full pass.
void expect_decodes(OpRunner& runner, const plan::Tensor& qkv, const plan::Tensor& out, const Size& s,
                    const std::vector<float>& all, std::int64_t first) {
  const reference::Attention full = reference::attention_forward(to_double(all), s.reference_shape());
  for (std::int64_t t = first; t < s.T; ++t) {
    SCOPED_TRACE(testing::Message() << "position " << t);
    runner.set(qkv, position_of(all, s, t));
    runner.run({.position = static_cast<std::uint32_t>(t)});
    std::vector<double> expected;
    for (std::int64_t b = 0; b < s.B; ++b) {
      const auto row = full.out.begin() + (b * s.T + t) * s.C();
      expected.insert(expected.end(), row, row + s.C());
    }
    expect_close(runner.floats(out), expected);
  }
}

TEST(GpuAttention, DecodingMatchesTheFullPassAtEveryPosition) {
  for (const Size& size : {Size{2, 71, 2, 16}, Size{1, 37, 3, 20}, Size{3, 19, 1, 64}, Size{1, 40, 1, 128}}) {
    const std::vector<float> all = random_floats(3 * size.out_elements(), 9, 2.0F);
    if (is_gpu_assisted() && size.HS != 20) continue;
    std::vector<test::CapsVariant> variants = test::caps_variants(0);
    variants.pop_back();
    for (const test::CapsVariant& variant : variants) {
      SCOPED_TRACE(testing::Message() << variant.name << ", " << size);
      OpRunner runner(variant.target());
      // The cache starts as NaN: positions not yet written must not be read.
      const Shape cache{size.B, size.NH, size.T, size.HS};
      const AttentionDecode args{.qkv = runner.input({size.B, 3 * size.C()}, position_of(all, size, 0)),
                                 .k_cache = runner.output(cache),
                                 .v_cache = runner.output(cache),
                                 .out = runner.output({size.B, size.C()}),
                                 .n_head = size.NH};
      attention_decode(runner.builder(), args);
      expect_decodes(runner, args.qkv, args.out, size, all, 0);
    }
  }
}

TEST(GpuAttention, DecodingGoesOnFromAPaddedPrompt) {
  constexpr Size size{3, 24, 2, 32};
  constexpr std::int64_t kPadded = 16, kReal = 11;
  const std::vector<float> all = random_floats(3 * size.out_elements(), 10, 2.0F);
  std::vector<float> prompt;
  for (std::int64_t b = 0; b < size.B; ++b) {
    for (std::int64_t t = 0; t < kPadded; ++t) {
      const auto row = all.begin() + (b * size.T + t) * 3 * size.C();
      prompt.insert(prompt.end(), row, row + 3 * size.C());
      // The padding's keys and values are overwritten or never reached.
      if (t >= kReal) std::fill(prompt.end() - 3 * size.C(), prompt.end(), 1e30F);
    }
  }
  for (const test::CapsVariant& variant : test::caps_variants(size.T * size.C() * sizeof(float) * 2)) {
    SCOPED_TRACE(variant.name);
    OpRunner runner(variant.target());
    const Shape cache{size.B, size.NH, size.T, size.HS};
    const AttentionDecode args{.qkv = runner.input({size.B, 1, 3 * size.C()}, position_of(all, size, kReal)),
                               .k_cache = runner.output(cache),
                               .v_cache = runner.output(cache),
                               .out = runner.output({size.B, 1, size.C()}),
                               .n_head = size.NH};
    attention_cache_fill(runner.builder(), {.qkv = runner.input({size.B, kPadded, 3 * size.C()}, prompt),
                                            .k_cache = args.k_cache,
                                            .v_cache = args.v_cache,
                                            .n_head = size.NH});
    attention_decode(runner.builder(), args);
    Size first = size;
    first.T = kReal + 1;
    std::vector<float> seen;
    for (std::int64_t b = 0; b < size.B; ++b) {
      const auto row = all.begin() + b * size.T * 3 * size.C();
      seen.insert(seen.end(), row, row + first.T * 3 * size.C());
    }
    expect_decodes(runner, args.qkv, args.out, first, seen, kReal);
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
  EXPECT_THROW(forward({1, 8, 768}, {1, 8, 256}, {1, 1, 8}, 1), CheckFailure);  // head size 256
  EXPECT_THROW(attention_cache_fill(builder, {.qkv = tensor({1, 8, 96}),
                                              .k_cache = tensor({1, 2, 7, 16}),
                                              .v_cache = tensor({1, 2, 7, 16}),
                                              .n_head = 2}),
               CheckFailure);  // a prompt longer than the cache
}

TEST(Attention, BoundsTheWorkOfADispatch) {
  vk::DeviceCaps caps;
  caps.type = vk::DeviceType::kCpu;
  plan::PlanBuilder builder{caps};
  builder.begin_segment("op");
  constexpr Size size{32, 256, 12, 64};
  attention_forward(
      builder, {.qkv = builder.persistent("qkv", {size.B, size.T, 3 * size.C()}, plan::Role::kActivations),
                .out = builder.transient("out", {size.B, size.T, size.C()}),
                .lse = builder.transient("lse", {size.B, size.NH, size.T}),
                .n_head = size.NH});
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
