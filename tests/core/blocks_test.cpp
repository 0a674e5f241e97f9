#include "vkgpt/core/blocks.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "vkgpt/core/json.hpp"

#include "support/paths.hpp"

namespace vkgpt {
namespace {

using Words = std::vector<std::uint32_t>;

struct Planes {
  Words quants, scales;
};

Planes encoded(BlockType type, std::span<const float> values) {
  const BlockFormat& format = block_format(type);
  Planes planes{Words(format.quant_words(values.size())), Words(format.scale_words(values.size()))};
  encode_blocks(type, values, planes.quants, planes.scales);
  return planes;
}

std::vector<float> decoded(BlockType type, const Planes& planes, std::size_t count) {
  std::vector<float> values(count);
  decode_blocks(type, planes.quants, planes.scales, values);
  return values;
}

/// `count` numbers of 32 / `per_word` bits each, one after the other.
Words unpacked(const Words& words, std::size_t per_word, std::size_t count) {
  Words numbers;
  const std::size_t bits = 32 / per_word;
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint32_t shifted = words[i / per_word] >> (i % per_word * bits);
    numbers.push_back(bits == 32 ? shifted : shifted & ((1U << bits) - 1));
  }
  return numbers;
}

class Blocks : public testing::TestWithParam<BlockType> {};
class QuantizedBlocks : public testing::TestWithParam<BlockType> {};

TEST_P(QuantizedBlocks, AreThoseOfTheLibraries) {
  const Json golden = read_json_file(test::source_dir() / "tests/golden/blocks.json", 1 << 20);
  const BlockFormat& format = block_format(GetParam());
  std::vector<float> values;
  for (const std::uint32_t bits : golden["values"].get<Words>()) values.push_back(std::bit_cast<float>(bits));
  const Planes planes = encoded(GetParam(), values);
  const Json& expected = golden[std::string(format.name)];
  EXPECT_EQ(unpacked(planes.quants, format.per_word, values.size()), expected["quants"].get<Words>());
  EXPECT_EQ(unpacked(planes.scales, 4 / format.scale_bytes, values.size() / format.values),
            expected["scales"].get<Words>());
  if (GetParam() != BlockType::kNF4) return;
  const std::vector<float> back = decoded(GetParam(), planes, values.size());
  const Words bits = golden["nf4_values"].get<Words>();
  for (std::size_t i = 0; i < back.size(); ++i) EXPECT_EQ(back[i], std::bit_cast<float>(bits[i])) << i;
}

/// What a file's blocks stand for is quantized to the same blocks: reading them as numbers first loses
/// nothing.
TEST_P(Blocks, OfDecodedNumbersAreTheSame) {
  std::vector<float> values(1024);
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = std::sin(static_cast<float>(7 * i)) * std::exp(0.01F * static_cast<float>(i));
  }
  const Planes planes = encoded(GetParam(), values);
  const std::vector<float> back = decoded(GetParam(), planes, values.size());
  const Planes again = encoded(GetParam(), back);
  EXPECT_EQ(again.quants, planes.quants);
  EXPECT_EQ(again.scales, planes.scales);
}

TEST_P(Blocks, SayWhatIsNotFinite) {
  const auto all_finite = [](const std::vector<float>& numbers) {
    const Planes planes = encoded(GetParam(), numbers);
    return is_finite(GetParam(), planes.quants, planes.scales);
  };
  std::vector<float> values(64, 1.0F);
  EXPECT_TRUE(all_finite(values));
  const bool is_wide = GetParam() == BlockType::kNF4 || GetParam() == BlockType::kBF16;
  values[41] = is_wide ? std::numeric_limits<float>::infinity() : 1e9F;
  EXPECT_FALSE(all_finite(values));
}

constexpr auto kName = [](const auto& each) { return std::string(block_format(each.param).name); };
INSTANTIATE_TEST_SUITE_P(Types, QuantizedBlocks,
                         testing::Values(BlockType::kQ8_0, BlockType::kQ4_0, BlockType::kNF4), kName);
INSTANTIATE_TEST_SUITE_P(Types, Blocks,
                         testing::Values(BlockType::kQ8_0, BlockType::kQ4_0, BlockType::kNF4, BlockType::kF16,
                                         BlockType::kBF16),
                         kName);

TEST(BlockNames, AreFound) {
  EXPECT_EQ(find_block_type("q8_0"), BlockType::kQ8_0);
  EXPECT_EQ(find_block_type("nf4"), BlockType::kNF4);
  EXPECT_EQ(find_block_type("f32"), std::nullopt);
}

}  // namespace
}  // namespace vkgpt
