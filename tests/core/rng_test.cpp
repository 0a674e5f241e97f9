#include "vkgpt/core/rng.hpp"

#include <cmath>
#include <set>
#include <vector>

#include <gtest/gtest.h>

#include "vkgpt/core/check.hpp"

namespace vkgpt {
namespace {

TEST(Philox, GivesRandom123KnownAnswers) {
  EXPECT_EQ(philox4x32({0, 0, 0, 0}, {0, 0}),
            (PhiloxCounter{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  constexpr std::uint32_t kOnes = 0xffffffff;
  EXPECT_EQ(philox4x32({kOnes, kOnes, kOnes, kOnes}, {kOnes, kOnes}),
            (PhiloxCounter{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (PhiloxCounter{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(RngStream, EveryPartOfItsNameMatters) {
  const RngStream base{.seed = 7, .purpose = RngPurpose::kInit, .sub = 1, .step = 2, .index = 3};
  std::vector<RngStream> streams(7, base);
  streams[1].seed = 8;
  streams[2].seed = 7 | std::uint64_t{1} << 32;
  streams[3].purpose = RngPurpose::kSampling;
  streams[4].sub = 2;
  streams[5].step = 1;
  streams[6].index = 4;
  std::set<PhiloxCounter> blocks;
  for (const RngStream& stream : streams) {
    blocks.insert(stream.block(0));
    blocks.insert(stream.block(1));
  }
  EXPECT_EQ(blocks.size(), 2 * streams.size());
  EXPECT_THROW((RngStream{.sub = 1U << 24}.block(0)), CheckFailure);
}

TEST(RngStream, WordsAreFixedForever) {
  // A change here breaks the exact continuation of existing runs.
  const RngStream stream{
      .seed = 0x123456789abcdef0, .purpose = RngPurpose::kTrainData, .sub = 5, .step = 6, .index = 9};
  EXPECT_EQ(stream.block(4), philox4x32({4, 9, 6, 0x502}, {0x9abcdef0, 0x12345678}));
}

TEST(RngReader, ReadsBlocksInOrder) {
  const RngStream stream{.seed = 1};
  RngReader reader(stream);
  for (std::uint32_t block = 0; block < 3; ++block) {
    for (const std::uint32_t word : stream.block(block)) EXPECT_EQ(reader.next_u32(), word);
  }
  RngReader wide(stream);
  const PhiloxCounter first = stream.block(0);
  EXPECT_EQ(wide.next_u64(), first[0] | std::uint64_t{first[1]} << 32);
}

TEST(RngReader, UniformStaysBelowOne) {
  EXPECT_EQ(uniform_float(0), 0.0F);
  EXPECT_EQ(uniform_float(0xffffffff), 1.0F - 0x1p-24F);
}

TEST(RngReader, BelowIsEvenOverItsRange) {
  RngReader reader({.seed = 3});
  std::vector<int> counts(7);
  constexpr int kDraws = 70'000;
  for (int i = 0; i < kDraws; ++i) ++counts[reader.below(7)];
  for (const int count : counts) EXPECT_NEAR(count, kDraws / 7, 5 * std::sqrt(kDraws / 7.0));
  EXPECT_EQ(reader.below(1), 0U);
  // Above 2^63 nearly half of the draws are rejected; a biased method would never give the upper part evenly.
  constexpr std::uint64_t kHuge = (std::uint64_t{1} << 63) + 1;
  int upper = 0;
  for (int i = 0; i < 10'000; ++i) {
    const std::uint64_t x = reader.below(kHuge);
    ASSERT_LT(x, kHuge);
    upper += x >= kHuge / 2 ? 1 : 0;
  }
  EXPECT_NEAR(upper, 5000, 5 * 50);
  EXPECT_THROW(reader.below(0), CheckFailure);
}

TEST(FillNormal, HasTheMomentsOfANormal) {
  constexpr std::size_t kN = 200'000;
  std::vector<float> x(kN);
  fill_normal({.seed = 11, .sub = 4}, x, 1.0, 2.0);
  double sum = 0;
  double squares = 0;
  double fourth = 0;
  for (const float v : x) {
    const double z = (v - 1.0) / 2.0;
    sum += z;
    squares += z * z;
    fourth += z * z * z * z;
  }
  EXPECT_NEAR(sum / kN, 0, 5 / std::sqrt(kN));
  EXPECT_NEAR(squares / kN, 1, 5 * std::sqrt(2.0 / kN));
  EXPECT_NEAR(fourth / kN, 3, 5 * std::sqrt(96.0 / kN));
}

TEST(FillNormal, PartsEqualTheWhole) {
  std::vector<float> whole(103);
  fill_normal({.seed = 5}, whole, 0, 0.02);
  std::vector<float> tail(103 - 40);
  fill_normal({.seed = 5}, tail, 0, 0.02, 40);
  EXPECT_EQ(std::vector<float>(whole.begin() + 40, whole.end()), tail);
  EXPECT_THROW(fill_normal({.seed = 5}, tail, 0, 1, 3), CheckFailure);
}

TEST(NormalBlock, ExtremeWordsStayFinite) {
  for (const double z : normal_block({0, 0, 0, 0xffffffff}))
    EXPECT_TRUE(std::isfinite(z) && std::abs(z) < 6.7) << z;
  for (const double z : normal_block({0xffffffff, 0, 0xffffffff, 1})) EXPECT_NEAR(z, 0, 1e-12);
}

}  // namespace
}  // namespace vkgpt
