#include "vkgpt/core/half.hpp"

#include <cmath>
#include <limits>

#include <gtest/gtest.h>

namespace vkgpt {
namespace {

TEST(Half, DecodesEveryF16) {
  for (std::uint32_t bits = 0; bits < 65536; ++bits) {
    const int exponent = static_cast<int>(bits >> 10 & 31);
    const int mantissa = static_cast<int>(bits & 1023);
    double expected = exponent == 0 ? std::ldexp(mantissa, -24) : std::ldexp(1024 + mantissa, exponent - 25);
    if (exponent == 31) expected = mantissa == 0 ? HUGE_VAL : NAN;
    if (bits >= 0x8000) expected = -expected;
    const float value = f16_to_float(static_cast<std::uint16_t>(bits));
    if (std::isnan(expected)) {
      EXPECT_TRUE(std::isnan(value)) << bits;
    } else {
      EXPECT_EQ(value, expected) << bits;
      EXPECT_EQ(std::signbit(value), std::signbit(expected)) << bits;
    }
  }
}

TEST(Half, DecodesBf16) {
  EXPECT_EQ(bf16_to_float(0x3f80), 1.0F);
  EXPECT_EQ(bf16_to_float(0xc0a0), -5.0F);
  EXPECT_EQ(bf16_to_float(0x0001), std::ldexp(1.0F, -133));
  EXPECT_EQ(bf16_to_float(0x7f80), std::numeric_limits<float>::infinity());
  EXPECT_TRUE(std::isnan(bf16_to_float(0x7fc0)));
}

TEST(Half, EncodesWhatItDecodes) {
  for (std::uint32_t bits = 0; bits < 65536; ++bits) {
    const auto half = static_cast<std::uint16_t>(bits);
    EXPECT_TRUE(std::isnan(f16_to_float(half)) || float_to_f16(f16_to_float(half)) == half) << bits;
    EXPECT_TRUE(std::isnan(bf16_to_float(half)) || float_to_bf16(bf16_to_float(half)) == half) << bits;
  }
  EXPECT_TRUE(std::isnan(f16_to_float(float_to_f16(NAN))));
  EXPECT_TRUE(std::isnan(bf16_to_float(float_to_bf16(NAN))));
}

TEST(Half, RoundsToTheNearestAndTiesToEven) {
  for (std::uint32_t bits = 0; bits < 0x7C00; ++bits) {
    const auto half = static_cast<std::uint16_t>(bits);
    const auto next = static_cast<std::uint16_t>(bits + 1);
    const float low = f16_to_float(half);
    const float middle = bits + 1 == 0x7C00 ? 65520.0F : (low + f16_to_float(next)) / 2;
    EXPECT_EQ(float_to_f16(middle), bits % 2 == 0 ? half : next) << bits;
    EXPECT_EQ(float_to_f16(std::nextafter(middle, 0.0F)), half) << bits;
    EXPECT_EQ(float_to_f16(-std::nextafter(middle, HUGE_VALF)), next | 0x8000) << bits;
  }
  EXPECT_EQ(float_to_bf16(0x1.01p0F), 0x3f80);
  EXPECT_EQ(float_to_bf16(0x1.03p0F), 0x3f82);
  EXPECT_EQ(float_to_bf16(-0x1.010002p0F), 0xbf81);
  EXPECT_EQ(float_to_bf16(0x1.fffffep127F), 0x7f80);
}

}  // namespace
}  // namespace vkgpt
