#include "vkgpt/train/batch_order.hpp"

#include <bit>
#include <utility>

#include "vkgpt/core/check.hpp"
#include "vkgpt/core/rng.hpp"

namespace vkgpt::train {
namespace {

constexpr std::uint32_t kRounds = 8;

/// A permutation of the numbers below 2^(2 * half_bits).
std::uint64_t feistel(std::uint64_t value, int half_bits, std::uint64_t seed, std::uint32_t epoch) {
  const std::uint64_t mask = (std::uint64_t{1} << half_bits) - 1;
  std::uint64_t left = value >> half_bits;
  std::uint64_t right = value & mask;
  for (std::uint32_t round = 0; round < kRounds; ++round) {
    const RngStream stream{.seed = seed,
                           .purpose = RngPurpose::kDataOrder,
                           .sub = round,
                           .step = epoch,
                           .index = static_cast<std::uint32_t>(right)};
    left = std::exchange(right, left ^ (stream.block(0)[0] & mask));
  }
  return left << half_bits | right;
}

}  // namespace

BatchOrder parse_batch_order(std::string_view name) {
  if (name == "shuffled") return BatchOrder::kShuffled;
  if (name == "sequential") return BatchOrder::kSequential;
  VKGPT_CHECK(name == "random", "batch_order '{}'", name);
  return BatchOrder::kRandom;
}

std::uint64_t permuted(std::uint64_t index, std::uint64_t count, std::uint64_t seed, std::uint32_t epoch) {
  VKGPT_CHECK(index < count && count <= std::uint64_t{1} << 62, "element {} of {}", index, count);
  const int half_bits = (std::bit_width(count - 1) + 1) / 2;
  do {
    index = feistel(index, half_bits, seed, epoch);
  } while (index >= count);
  return index;
}

std::uint64_t window_of(BatchOrder order, std::uint64_t index, std::uint64_t windows, std::uint64_t seed) {
  const std::uint64_t in_epoch = index % windows;
  if (order == BatchOrder::kSequential) return in_epoch;
  return permuted(in_epoch, windows, seed, static_cast<std::uint32_t>(index / windows));
}

}  // namespace vkgpt::train
