#include "vkgpt/train/outer_codec.hpp"

#include <cmath>
#include <limits>
#include <vector>

#include <gtest/gtest.h>

#include "vkgpt/core/error.hpp"

#include "support/random_cases.hpp"

namespace vkgpt::train {
namespace {

std::vector<double> there_and_back(const std::vector<float>& values, int bits) {
  std::vector<std::byte> bytes(static_cast<std::size_t>(outer_bytes(std::ssize(values), bits)));
  outer_encode(values, bits, bytes);
  std::vector<double> sums(values.size(), 1.0);
  outer_add(bytes, bits, sums);
  for (double& sum : sums) sum -= 1.0;
  return sums;
}

TEST(OuterCodec, IsOffByHalfACodeAtMost) {
  test::for_random_cases(50, [](test::Random& random) {
    std::vector<float> values(1 + random.below(700));
    for (float& value : values) value = static_cast<float>(random.below(20001)) / 1e7F - 1e-3F;
    for (const int bits : {32, 8, 4}) {
      const double code = bits == 32 ? 0 : 1e-3 / (bits == 8 ? 127 : 7);
      const std::vector<double> back = there_and_back(values, bits);
      for (std::size_t i = 0; i < values.size(); ++i) EXPECT_NEAR(back[i], values[i], 0.501 * code + 1e-15);
    }
  });
}

TEST(OuterCodec, TakesItsBytes) {
  EXPECT_EQ(outer_bytes(300, 32), 1200);
  EXPECT_EQ(outer_bytes(300, 8), 4 + 256 + 4 + 44);
  EXPECT_EQ(outer_bytes(299, 4), 4 + 128 + 4 + 22);
  EXPECT_EQ(outer_bytes(0, 4), 0);
}

TEST(OuterCodec, KeepsZeros) {
  EXPECT_EQ(there_and_back(std::vector<float>(300, 0), 4), std::vector<double>(300, 0));
}

TEST(OuterCodec, RefusesWhatIsNotFinite) {
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    EXPECT_THROW(there_and_back({1, bad}, 8), Error);
  }
}

}  // namespace
}  // namespace vkgpt::train
