#include "vkgpt/ops/attention/rope.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "vkgpt/core/check.hpp"

#include "gpu_context.hpp"
#include "ops/element_types.hpp"
#include "ops/op_runner.hpp"
#include "reference/compare.hpp"
#include "reference/rope.hpp"

namespace vkgpt::ops {
namespace {

using reference::expect_close;
using reference::random_floats;
using reference::to_double;
using test::OpRunner;

constexpr RopeAngles kAngles{.theta = 1000};
constexpr reference::Rope kRope{.theta = 1000};

struct Size {
  std::int64_t B, T, NH, NKV, HS;

  std::int64_t width() const { return (NH + 2 * NKV) * HS; }
  std::size_t elements() const { return static_cast<std::size_t>(B * T * width()); }
  reference::AttentionShape reference_shape() const {
    return {.B = static_cast<std::size_t>(B),
            .T = static_cast<std::size_t>(T),
            .C = static_cast<std::size_t>(NH * HS),
            .NH = static_cast<std::size_t>(NH),
            .NKV = static_cast<std::size_t>(NKV)};
  }
};

constexpr Size kSizes[] = {{1, 1, 1, 1, 4},   {3, 5, 3, 1, 20},   {2, 8, 4, 2, 32},
                           {1, 33, 6, 3, 20}, {2, 131, 3, 1, 20}, {1, 64, 1, 1, 32}};

/// Of the rounding of results, in variances of what they are.
double bound_of(DType dtype) {
  if (dtype == DType::kF32) return reference::kFp32Nmse;
  return dtype == DType::kF16 ? 1e-6 : 2e-5;
}

class GpuRope : public test::ElementTypeTest {};

TEST_P(GpuRope, TurnsAndTurnsBackAsTheReference) {
  const DType dtype = GetParam();
  const bool is_instrumented = test::shared_context().instance().validation() == vk::ValidationMode::kGpu;
  for (const Size& s : kSizes) {
    // The head size is compiled in, but the same for all types.
    if ((dtype != DType::kF32 || is_instrumented) && s.HS != 20) continue;
    const std::vector<float> x = test::rounded(random_floats(s.elements(), 1, 2.0F), dtype);
    const std::vector<float> dy = test::rounded(random_floats(s.elements(), 2, 2.0F), dtype);
    for (const test::CapsVariant& variant :
         test::caps_variants_folded(static_cast<std::uint64_t>(128 * s.width()) * sizeof(float))) {
      SCOPED_TRACE(testing::Message() << variant.name << ", T " << s.T << " HS " << s.HS);
      OpRunner runner(variant.caps);
      const plan::Tensor qkv = runner.input({s.B, s.T, s.width()}, x, dtype);
      const plan::Tensor dqkv = runner.input({s.B, s.T, s.width()}, dy, dtype);
      const plan::Tensor table = rope_table(runner.builder(), s.T + 2, s.HS, kAngles);
      rope_forward(runner.builder(), {.qkv = qkv, .table = table, .n_head = s.NH, .n_kv_head = s.NKV});
      rope_backward(runner.builder(), {.dqkv = dqkv, .table = table, .n_head = s.NH, .n_kv_head = s.NKV});
      runner.run();
      const reference::AttentionShape shape = s.reference_shape();
      expect_close(runner.floats(qkv), reference::rope_forward(to_double(x), shape, kRope), bound_of(dtype));
      expect_close(runner.floats(dqkv), reference::rope_backward(to_double(dy), shape, kRope),
                   bound_of(dtype));
    }
  }
}

TEST_P(GpuRope, DecodingTurnsByThePosition) {
  const DType dtype = GetParam();
  constexpr Size s{2, 1, 3, 1, 20};
  constexpr std::int64_t kTMax = 9;
  const std::vector<float> x = test::rounded(random_floats(s.elements(), 3), dtype);
  OpRunner runner;
  const plan::Tensor qkv = runner.input({s.B, s.width()}, x, dtype);
  rope_forward(runner.builder(), {.qkv = qkv,
                                  .table = rope_table(runner.builder(), kTMax, s.HS, kAngles),
                                  .n_head = s.NH,
                                  .n_kv_head = s.NKV,
                                  .decode = true});
  for (const std::int64_t t : {0, 5, 8}) {
    runner.set(qkv, x);
    runner.run({.position = static_cast<std::uint32_t>(t)});
    // The same rows at position t of a longer sequence.
    Size longer = s;
    longer.T = t + 1;
    std::vector<double> all(longer.elements());
    for (std::int64_t b = 0; b < s.B; ++b) {
      std::copy_n(x.begin() + b * s.width(), s.width(), all.begin() + (b * longer.T + t) * s.width());
    }
    const reference::Vector turned = reference::rope_forward(all, longer.reference_shape(), kRope);
    std::vector<double> expected;
    for (std::int64_t b = 0; b < s.B; ++b) {
      const auto row = turned.begin() + (b * longer.T + t) * s.width();
      expected.insert(expected.end(), row, row + s.width());
    }
    expect_close(runner.floats(qkv), expected, bound_of(dtype));
  }
}

TEST(GpuRopeAngles, StretchedAsLlama31) {
  constexpr Size s{1, 40, 1, 1, 32};
  const std::vector<float> x = random_floats(s.elements(), 4);
  OpRunner runner;
  const plan::Tensor qkv = runner.input({s.B, s.T, s.width()}, x);
  // Wavelengths from 6 to 4e4: kept, between, and stretched.
  const RopeAngles angles{.theta = 1e4, .factor = 8, .low = 1, .high = 4, .original_context = 100};
  rope_forward(runner.builder(),
               {.qkv = qkv, .table = rope_table(runner.builder(), s.T, s.HS, angles), .n_head = 1});
  runner.run();
  const reference::Rope rope{.theta = 1e4, .factor = 8, .low = 1, .high = 4, .original_context = 100};
  const reference::Vector expected = reference::rope_forward(to_double(x), s.reference_shape(), rope);
  expect_close(runner.floats(qkv), expected, bound_of(DType::kF32));
  const reference::Vector plain = reference::rope_forward(to_double(x), s.reference_shape(), {.theta = 1e4});
  double difference = 0;
  for (std::size_t n = 0; n < plain.size(); ++n)
    difference = std::max(difference, std::abs(plain[n] - expected[n]));
  EXPECT_GT(difference, 0.1);
}

INSTANTIATE_TEST_SUITE_P(Gpu, GpuRope, testing::Values(DType::kF32, DType::kF16, DType::kBF16),
                         [](const auto& type) { return std::string(dtype_name(type.param)); });

TEST(Rope, RefusesWhatDoesNotFit) {
  plan::PlanBuilder builder{vk::DeviceCaps{}};
  builder.begin_segment("op");
  const plan::Tensor table = rope_table(builder, 8, 16, {});
  EXPECT_EQ(table.shape, (Shape{8, 8, 2}));
  const auto forward = [&](Shape qkv, DType dtype, std::int64_t n_head, std::int64_t n_kv_head) {
    const plan::Tensor tensor = builder.persistent("qkv" + qkv.to_string() + std::string(dtype_name(dtype)),
                                                   qkv, plan::Role::kActivations, dtype);
    rope_forward(builder, {.qkv = tensor, .table = table, .n_head = n_head, .n_kv_head = n_kv_head});
  };
  EXPECT_NO_THROW(forward({2, 8, 128}, DType::kF32, 4, 2));
  EXPECT_THROW(forward({2, 9, 128}, DType::kF32, 4, 2), CheckFailure);   // the table is too short
  EXPECT_THROW(forward({2, 8, 192}, DType::kF32, 4, 1), CheckFailure);   // heads of 32
  EXPECT_THROW(forward({2, 8, 144}, DType::kF32, 3, 2), CheckFailure);   // 2 does not divide 3
  EXPECT_THROW(forward({16, 128}, DType::kF32, 4, 2), CheckFailure);     // positions unknown
  EXPECT_THROW(forward({2, 8, 128}, DType::kBF16, 4, 2), CheckFailure);  // no 16-bit storage
}

}  // namespace
}  // namespace vkgpt::ops
