#include "vkgpt/train/batch_order.hpp"

#include <cmath>
#include <cstdint>
#include <numeric>
#include <set>
#include <vector>

#include <gtest/gtest.h>

#include "vkgpt/train/data_loader.hpp"

namespace vkgpt::train {
namespace {

TEST(Permuted, IsAPermutationForEverySize) {
  for (std::uint64_t count : {1, 2, 3, 4, 5, 15, 16, 17, 100, 255, 257, 1000, 4097}) {
    std::vector<bool> seen(count);
    for (std::uint64_t i = 0; i < count; ++i) {
      const std::uint64_t at = permuted(i, count, 7, 0);
      ASSERT_LT(at, count);
      EXPECT_FALSE(seen[at]) << at << " of " << count << " twice";
      seen[at] = true;
    }
  }
}

TEST(Permuted, SeedsAndEpochsDiffer) {
  const auto order = [](std::uint64_t seed, std::uint32_t epoch) {
    std::vector<std::uint64_t> all;
    for (std::uint64_t i = 0; i < 100; ++i) all.push_back(permuted(i, 100, seed, epoch));
    return all;
  };
  EXPECT_EQ(order(1, 0), order(1, 0));
  EXPECT_NE(order(1, 0), order(1, 1));
  EXPECT_NE(order(1, 0), order(2, 0));
}

// Over many epochs every window comes at every place about equally often: chi-squared with 15 * 16 cells.
TEST(Permuted, LeavesNoWindowAtItsPlace) {
  constexpr std::uint64_t kCount = 16;
  constexpr std::uint32_t kEpochs = 4000;
  std::vector<double> hits(kCount * kCount);
  for (std::uint32_t epoch = 0; epoch < kEpochs; ++epoch) {
    for (std::uint64_t i = 0; i < kCount; ++i) ++hits[i * kCount + permuted(i, kCount, 3, epoch)];
  }
  const double expected = static_cast<double>(kEpochs) / kCount;
  double chi_squared = 0;
  for (const double n : hits) chi_squared += (n - expected) * (n - expected) / expected;
  EXPECT_NEAR(chi_squared, 225, 5 * std::sqrt(2.0 * 225));  // (16 - 1)^2 degrees of freedom
}

TEST(Permuted, LargeCountsNeedNoTable) {
  const std::uint64_t count = 100'000'000'000;
  std::set<std::uint64_t> seen;
  for (std::uint64_t i = 0; i < 1000; ++i) seen.insert(permuted(i * 99'999'999, count, 1, 0));
  EXPECT_EQ(seen.size(), 1000U);
  EXPECT_GT(*seen.rbegin(), count / 2);
}

/// The starts of the windows that steps [0, steps) read, in order; token i of the split is i.
std::vector<std::int32_t> starts(BatchOrder order, std::int64_t micro_steps, std::size_t B,
                                 std::uint64_t steps, std::size_t tokens = 86) {
  constexpr std::size_t kT = 8;
  std::vector<std::int32_t> split(tokens);
  std::iota(split.begin(), split.end(), 0);
  const DataLoader loader(std::span<const std::int32_t>(split), {}, kT, 5,
                          {.order = order, .micro_steps = micro_steps});
  std::vector<std::int32_t> found;
  std::vector<std::int32_t> inputs(B * kT);
  std::vector<std::int32_t> targets(B * kT);
  for (std::uint64_t step = 0; step < steps; ++step) {
    for (std::uint32_t micro_step = 0; micro_step < micro_steps; ++micro_step) {
      loader.fill_train(step, micro_step, inputs, targets);
      for (std::size_t row = 0; row < B; ++row) {
        found.push_back(inputs[row * kT]);
        EXPECT_EQ(targets[row * kT + kT - 1], inputs[row * kT] + static_cast<std::int32_t>(kT));
      }
    }
  }
  return found;
}

TEST(BatchOrder, EveryWindowOnceAnEpoch) {
  constexpr std::size_t kWindows = 10;  // 86 tokens: 10 windows of 8 with their last targets, 5 tokens over
  for (const BatchOrder order : {BatchOrder::kShuffled, BatchOrder::kSequential}) {
    const std::vector<std::int32_t> read = starts(order, 2, 3, 10);  // 60 samples: 6 epochs
    ASSERT_EQ(read.size(), 6 * kWindows);
    std::set<std::vector<std::int32_t>> epochs;
    for (std::size_t epoch = 0; epoch < 6; ++epoch) {
      const std::vector<std::int32_t> one(read.begin() + static_cast<std::ptrdiff_t>(epoch * kWindows),
                                          read.begin() + static_cast<std::ptrdiff_t>((epoch + 1) * kWindows));
      const std::set<std::int32_t> windows(one.begin(), one.end());
      EXPECT_EQ(windows.size(), kWindows);
      EXPECT_EQ(*windows.begin(), 0);
      EXPECT_EQ(*windows.rbegin(), 72);
      epochs.insert(one);
    }
    EXPECT_EQ(epochs.size(), order == BatchOrder::kShuffled ? 6U : 1U);
  }
  EXPECT_EQ(starts(BatchOrder::kSequential, 1, 3, 4),
            (std::vector<std::int32_t>{0, 8, 16, 24, 32, 40, 48, 56, 64, 72, 0, 8}));
  EXPECT_EQ(starts(BatchOrder::kShuffled, 1, 2, 2, 9), (std::vector<std::int32_t>{0, 0, 0, 0}));
}

TEST(BatchOrder, TheWayToCutSamplesIntoBatchesDoesNotMatter) {
  EXPECT_EQ(starts(BatchOrder::kShuffled, 1, 6, 5), starts(BatchOrder::kShuffled, 3, 2, 5));
}

}  // namespace
}  // namespace vkgpt::train
