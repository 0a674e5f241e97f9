#include "vkgpt/ops/optimizer/optimizer.hpp"

#include <vector>

#include <gtest/gtest.h>

#include "vkgpt/core/check.hpp"

namespace vkgpt::ops {
namespace {

TEST(Optimizer, DecayBitsMarkBlocksOf64) {
  const std::vector<Slice> decayed{{0, 65}, {64 * 33, 10}};
  const std::vector<std::uint32_t> bits = make_decay_bits(64 * 40, decayed);
  ASSERT_EQ(bits.size(), 2U);
  EXPECT_EQ(bits[0], 3U);
  EXPECT_EQ(bits[1], 2U);
  EXPECT_THROW(make_decay_bits(640, std::vector<Slice>{{3, 10}}), CheckFailure);
  EXPECT_THROW(make_decay_bits(640, std::vector<Slice>{{64, 577}}), CheckFailure);
}

}  // namespace
}  // namespace vkgpt::ops
