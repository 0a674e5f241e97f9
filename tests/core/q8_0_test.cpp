#include "vkgpt/core/q8_0.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include <gtest/gtest.h>

#include "vkgpt/core/half.hpp"

namespace vkgpt {
namespace {

using Values = std::array<float, Q80Block::kValues>;

TEST(Q80, RoundsTiesAwayFromZero) {
  Values values{};
  values[0] = 127;
  values[1] = 0.5F;
  values[2] = -2.5F;
  values[3] = 2.4999F;
  values[4] = -127;
  const Q80Block block = quantize_q8_0(values);
  EXPECT_EQ(block.scale, float_to_f16(1));
  EXPECT_EQ(block.values[0], 127);
  EXPECT_EQ(block.values[1], 1);
  EXPECT_EQ(block.values[2], -3);
  EXPECT_EQ(block.values[3], 2);
  EXPECT_EQ(block.values[4], -127);
  EXPECT_EQ(block.values[5], 0);
}

TEST(Q80, KeepsNumbersToHalfAStep) {
  Values values;
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = std::sin(static_cast<float>(i)) * std::exp(0.1F * static_cast<float>(i));
  }
  Values back;
  dequantize_q8_0(quantize_q8_0(values), back);
  float largest = 0;
  for (const float value : values) largest = std::max(largest, std::fabs(value));
  // The rounding of the scale to 11 bits moves the largest numbers by up to 2^-11 of themselves.
  for (std::size_t i = 0; i < values.size(); ++i) {
    EXPECT_NEAR(back[i], values[i], largest / 254 + std::fabs(values[i]) / 2048) << i;
  }
}

TEST(Q80, HoldsTheSmallestAndTheLargest) {
  Values values{};
  for (const float smallest : {0.0F, std::numeric_limits<float>::denorm_min(), 0x1p-122F}) {
    values[7] = smallest;
    const Q80Block block = quantize_q8_0(values);
    EXPECT_EQ(block.scale, 0) << smallest;
    Values back;
    dequantize_q8_0(block, back);
    EXPECT_TRUE(std::ranges::all_of(back, [](float value) { return value == 0; }));
  }
  values[7] = 127.0F * 65504.0F;
  EXPECT_EQ(quantize_q8_0(values).scale, 0x7BFF);
  values[7] = 127.0F * 65536.0F;
  EXPECT_EQ(quantize_q8_0(values).scale, 0x7C00);
  values[7] = std::numeric_limits<float>::max();
  EXPECT_EQ(quantize_q8_0(values).scale, 0x7C00);
}

}  // namespace
}  // namespace vkgpt
