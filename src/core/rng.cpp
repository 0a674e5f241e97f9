#include "vkgpt/core/rng.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "vkgpt/core/check.hpp"

namespace vkgpt {
namespace {

__extension__ using uint128 = unsigned __int128;

}  // namespace

PhiloxCounter philox4x32(PhiloxCounter counter, PhiloxKey key) {
  constexpr std::uint64_t kMultiplier0 = 0xD2511F53;
  constexpr std::uint64_t kMultiplier1 = 0xCD9E8D57;
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t p0 = kMultiplier0 * counter[0];
    const std::uint64_t p1 = kMultiplier1 * counter[2];
    counter = {static_cast<std::uint32_t>(p1 >> 32) ^ counter[1] ^ key[0], static_cast<std::uint32_t>(p1),
               static_cast<std::uint32_t>(p0 >> 32) ^ counter[3] ^ key[1], static_cast<std::uint32_t>(p0)};
    key = {key[0] + 0x9E3779B9U, key[1] + 0xBB67AE85U};
  }
  return counter;
}

PhiloxCounter RngStream::block(std::uint32_t block) const {
  VKGPT_CHECK(sub < 1U << 24, "sub = {}", sub);
  return philox4x32({block, index, step, static_cast<std::uint32_t>(purpose) | sub << 8},
                    {static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)});
}

std::uint32_t RngReader::next_u32() {
  const std::uint64_t word = position_ % 4;
  if (word == 0) {
    VKGPT_CHECK(position_ / 4 <= UINT32_MAX);
    words_ = stream_.block(static_cast<std::uint32_t>(position_ / 4));
  }
  ++position_;
  return words_[word];
}

std::uint64_t RngReader::next_u64() {
  const std::uint64_t low = next_u32();
  return low | static_cast<std::uint64_t>(next_u32()) << 32;
}

std::uint64_t RngReader::below(std::uint64_t bound) {
  VKGPT_CHECK(bound >= 1);
  uint128 product = static_cast<uint128>(next_u64()) * bound;
  if (static_cast<std::uint64_t>(product) < bound) {
    const std::uint64_t threshold = (0 - bound) % bound;  // 2^64 mod bound
    while (static_cast<std::uint64_t>(product) < threshold)
      product = static_cast<uint128>(next_u64()) * bound;
  }
  return static_cast<std::uint64_t>(product >> 64);
}

std::array<double, 4> normal_block(const PhiloxCounter& words) {
  std::array<double, 4> z{};
  for (std::size_t i = 0; i < 4; i += 2) {
    const double u = (words[i] + 1.0) * 0x1p-32;  // in (0, 1]: the logarithm is finite
    const double angle = 2.0 * std::numbers::pi * (words[i + 1] * 0x1p-32);
    const double radius = std::sqrt(-2.0 * std::log(u));
    z[i] = radius * std::cos(angle);
    z[i + 1] = radius * std::sin(angle);
  }
  return z;
}

void fill_normal(const RngStream& stream, std::span<float> out, double mean, double stddev,
                 std::uint64_t offset) {
  VKGPT_CHECK(offset % 4 == 0 && (offset + out.size()) / 4 <= UINT32_MAX, "offset = {}", offset);
  for (std::size_t i = 0; i < out.size(); i += 4) {
    const std::array<double, 4> z = normal_block(stream.block(static_cast<std::uint32_t>((offset + i) / 4)));
    const std::size_t n = std::min<std::size_t>(4, out.size() - i);
    for (std::size_t j = 0; j < n; ++j) out[i + j] = static_cast<float>(mean + stddev * z[j]);
  }
}

}  // namespace vkgpt
