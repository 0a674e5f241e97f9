#include "vkgpt/ops/cast.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "vkgpt/core/check.hpp"
#include "vkgpt/core/half.hpp"

#include "gpu_context.hpp"
#include "ops/op_runner.hpp"
#include "reference/compare.hpp"

namespace vkgpt::ops {
namespace {

using test::OpRunner;

constexpr DType kTypes[] = {DType::kF32, DType::kF16, DType::kBF16};

std::vector<float> cast_of(const std::vector<float>& x, DType from, DType to, float scale = 1.0F) {
  const auto n = static_cast<std::int64_t>(x.size());
  OpRunner runner;
  const plan::Tensor in = runner.input({n}, x, from), out = runner.output({n}, to);
  cast(runner.builder(), in, out, scale);
  runner.run();
  return runner.floats(out);
}

/// As bits, in which -0 is not 0; every NaN is the same one.
std::vector<std::uint32_t> bits_of(const std::vector<float>& values) {
  std::vector<std::uint32_t> bits(values.size());
  std::ranges::transform(values, bits.begin(), [](float value) {
    return std::isnan(value) ? 0x7fc00000U : std::bit_cast<std::uint32_t>(value);
  });
  return bits;
}

class GpuCast : public testing::Test {
 protected:
  void SetUp() override {
    if (!test::stores(DType::kF16)) GTEST_SKIP() << "no 16-bit storage";
  }
};

TEST_F(GpuCast, EveryPairOfTypesAndEveryLimit) {
  for (const test::CapsVariant& variant : test::caps_variants_folded(1024)) {
    for (const DType from : kTypes) {
      for (const DType to : kTypes) {
        for (const std::int64_t n : {1, 7, 128, 257, 2000}) {
          SCOPED_TRACE(testing::Message() << variant.name << ", " << n << " elements, " << dtype_name(from)
                                          << " to " << dtype_name(to));
          const std::vector<float> x = reference::random_floats(static_cast<std::size_t>(n), 1, 100.0F);
          std::vector<float> expected = test::rounded(x, from);
          for (float& value : expected) value *= 0.375F;
          OpRunner runner(variant.caps);
          const plan::Tensor in = runner.input({n}, x, from), out = runner.output({1, n, 1}, to);
          cast(runner.builder(), in, out, 0.375F);
          runner.run();
          EXPECT_EQ(runner.floats(out), test::rounded(expected, to));
        }
      }
    }
  }
}

// Every finite f16, the middle between it and the next one, and that middle's neighbours, of both signs: ties
// go to the even one, subnormals are kept, and from 65520 on there is infinity.
TEST_F(GpuCast, RoundsToTheNearestF16) {
  std::vector<float> x;
  for (std::uint32_t bits = 0; bits < 0x7c00; ++bits) {
    const float value = f16_to_float(static_cast<std::uint16_t>(bits));
    const float next = bits == 0x7bff ? 65536.0F : f16_to_float(static_cast<std::uint16_t>(bits + 1));
    const float middle = (value + next) / 2;
    for (const float v : {value, middle, std::nextafter(middle, 0.0F), std::nextafter(middle, HUGE_VALF)}) {
      x.push_back(bits % 2 == 0 ? v : -v);
    }
  }
  EXPECT_EQ(bits_of(cast_of(x, DType::kF32, DType::kF16)), bits_of(test::rounded(x, DType::kF16)));
}

TEST_F(GpuCast, RoundsToTheNearestBf16) {
  std::vector<float> x;
  for (std::uint32_t high = 0x0080; high < 0x7f80; high += 3) {
    for (const std::uint32_t low : {0x0000U, 0x7fffU, 0x8000U, 0x8001U, 0xffffU}) {
      x.push_back(std::bit_cast<float>(high << 16 | (high % 2) << 31 | low));
    }
  }
  EXPECT_EQ(bits_of(cast_of(x, DType::kF32, DType::kBF16)), bits_of(test::rounded(x, DType::kBF16)));
}

TEST_F(GpuCast, OverflowsToInfinityAndKeepsNan) {
  constexpr float kInf = std::numeric_limits<float>::infinity(), kMax = std::numeric_limits<float>::max();
  const std::vector<float> x{kInf,     -kInf,    NAN,   std::bit_cast<float>(0x7f800001U),
                             65519.0F, 65520.0F, -1e6F, kMax,
                             -kMax,    0.0F,     -0.0F};
  const std::vector<float> in_f16{kInf, -kInf, NAN, NAN, 65504.0F, kInf, -kInf, kInf, -kInf, 0.0F, -0.0F};
  EXPECT_EQ(bits_of(cast_of(x, DType::kF32, DType::kF16)), bits_of(in_f16));
  EXPECT_EQ(bits_of(cast_of(x, DType::kF32, DType::kBF16)), bits_of(test::rounded(x, DType::kBF16)));
  const std::vector<float> special{kInf, -kInf, NAN};
  for (const DType from : kTypes) {
    for (const DType to : kTypes) EXPECT_EQ(bits_of(cast_of(special, from, to)), bits_of(special));
  }
  EXPECT_EQ(cast_of({3e5F}, DType::kF32, DType::kF16, 0.125F), std::vector<float>{37504.0F});
}

TEST_F(GpuCast, WidensEveryF16) {
  std::vector<float> x(65536);
  for (std::uint32_t bits = 0; bits < 65536; ++bits) {
    x[bits] = f16_to_float(static_cast<std::uint16_t>(bits));
  }
  EXPECT_EQ(bits_of(cast_of(x, DType::kF16, DType::kF32)), bits_of(x));
}

TEST(Cast, RejectsOtherTypesAndCounts) {
  vk::DeviceCaps caps;
  caps.storage_16bit = true;
  plan::PlanBuilder builder(caps);
  builder.begin_segment("op");
  const plan::Tensor x = builder.persistent("x", {64}, plan::Role::kActivations);
  const plan::Tensor y = builder.persistent("y", {65}, plan::Role::kActivations, DType::kF16);
  const plan::Tensor z = builder.persistent("z", {64}, plan::Role::kActivations, DType::kU32);
  EXPECT_THROW(cast(builder, x, y), CheckFailure);
  EXPECT_THROW(cast(builder, x, z), CheckFailure);
  EXPECT_NO_THROW(cast(builder, x, builder.persistent("w", {8, 8}, plan::Role::kActivations, DType::kBF16)));
}

}  // namespace
}  // namespace vkgpt::ops
