#include "vkgpt/train/data_loader.hpp"

#include <numeric>
#include <set>
#include <vector>

#include <gtest/gtest.h>

#include "vkgpt/core/check.hpp"

#include "support/expect_error.hpp"

namespace vkgpt::train {
namespace {

constexpr std::int64_t kT = 8;
constexpr std::size_t kB = 5;

struct Batch {
  std::vector<std::int32_t> tokens = std::vector<std::int32_t>(kB * kT);
  std::vector<std::int32_t> targets = std::vector<std::int32_t>(kB * kT);
  friend bool operator==(const Batch&, const Batch&) = default;
};

// Token i has value i (training) or 1000 + i (validation), so that a crop shows where it was taken.
class DataLoaderTest : public testing::Test {
 protected:
  DataLoaderTest() : train_(200), validation_(50) {
    std::iota(train_.begin(), train_.end(), 0);
    std::iota(validation_.begin(), validation_.end(), 1000);
  }

  DataLoader loader(std::uint64_t seed = 1) const {
    return DataLoader(std::span(train_), std::span(validation_), kT, seed);
  }
  static Batch train(const DataLoader& loader, std::uint64_t step, std::uint32_t micro_step) {
    Batch batch;
    loader.fill_train(step, micro_step, batch.tokens, batch.targets);
    return batch;
  }
  static Batch eval(const DataLoader& loader, Split split, std::uint32_t index) {
    Batch batch;
    loader.fill_eval(split, index, batch.tokens, batch.targets);
    return batch;
  }

  std::vector<std::uint16_t> train_;
  std::vector<std::uint16_t> validation_;
};

void expect_crops(const Batch& batch, int first, int last) {
  for (std::size_t i = 0; i < kB * kT; ++i) {
    EXPECT_EQ(batch.targets[i], batch.tokens[i] + 1);
    if (i % kT != 0) {
      EXPECT_EQ(batch.tokens[i], batch.tokens[i - 1] + 1);
    }
    EXPECT_GE(batch.tokens[i], first);
    EXPECT_LE(batch.targets[i], last);
  }
}

TEST_F(DataLoaderTest, CropsAreConsecutiveTokensWithTargetsOneLater) {
  for (std::uint32_t i = 0; i < 50; ++i) {
    expect_crops(train(loader(), i, 0), 0, 199);
    expect_crops(eval(loader(), Split::kTrain, i), 0, 199);
    expect_crops(eval(loader(), Split::kValidation, i), 1000, 1049);
  }
}

TEST_F(DataLoaderTest, BatchesFollowFromTheirArgumentsAlone) {
  const DataLoader first = loader();
  for (std::uint64_t step = 0; step < 10; ++step) train(first, step, 0);
  EXPECT_EQ(train(first, 4, 2), train(loader(), 4, 2));
  EXPECT_EQ(eval(first, Split::kValidation, 3), eval(loader(), Split::kValidation, 3));
  std::vector<Batch> batches = {train(first, 4, 2), train(first, 4, 3), train(first, 5, 2),
                                train(loader(2), 4, 2), eval(first, Split::kTrain, 4)};
  for (std::size_t i = 0; i < batches.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) EXPECT_NE(batches[i], batches[j]) << i << " " << j;
  }
}

TEST_F(DataLoaderTest, RowsDoNotDependOnTheBatchSize) {
  const Batch batch = train(loader(), 7, 0);
  std::vector<std::int32_t> tokens(2 * kT);
  std::vector<std::int32_t> targets(2 * kT);
  loader().fill_train(7, 0, tokens, targets);
  EXPECT_TRUE(std::equal(tokens.begin(), tokens.end(), batch.tokens.begin()));
}

TEST_F(DataLoaderTest, EveryStartIsReached) {
  std::set<std::int32_t> starts;
  for (std::uint32_t step = 0; step < 400; ++step) {
    const Batch batch = train(loader(), step, 0);
    for (std::size_t row = 0; row < kB; ++row) starts.insert(batch.tokens[row * kT]);
  }
  EXPECT_EQ(*starts.begin(), 0);
  EXPECT_EQ(*starts.rbegin(), 200 - kT - 1);
  EXPECT_EQ(starts.size(), 200U - kT);
}

TEST_F(DataLoaderTest, TheShortestSplitHasOneCrop) {
  const TokenView all = std::span<const std::uint16_t>(train_);
  const DataLoader shortest(all.subview(3, kT + 1), all.subview(0, kT + 1), kT, 1);
  const Batch batch = train(shortest, 0, 0);
  EXPECT_EQ(batch.tokens[0], 3);
  EXPECT_EQ(batch.targets[kT - 1], 3 + kT);
}

TEST_F(DataLoaderTest, RefusesShortSplits) {
  const TokenView all = std::span<const std::uint16_t>(train_);
  expect_error([&] { DataLoader(all.subview(0, kT), all, kT, 1); },
               "the training split has 8 tokens but a block of 8 needs at least 9");
  expect_error([&] { DataLoader(all, all.subview(0, 3), kT, 1); }, "the validation split has 3 tokens");
  expect_error([&] { DataLoader(TokenView(), all, kT, 1); }, "has 0 tokens");
}

TEST_F(DataLoaderTest, TheValidationSplitMayBeMissing) {
  const DataLoader no_validation(std::span<const std::uint16_t>(train_), TokenView(), kT, 1);
  EXPECT_EQ(train(no_validation, 0, 0), train(loader(), 0, 0));
  EXPECT_THROW(eval(no_validation, Split::kValidation, 0), CheckFailure);
}

TEST_F(DataLoaderTest, ChecksItsArguments) {
  std::vector<std::int32_t> tokens(kT + 1);
  EXPECT_THROW(loader().fill_train(0, 0, tokens, tokens), CheckFailure);
  EXPECT_THROW(loader().fill_train(std::uint64_t{1} << 32, 0, {}, {}), CheckFailure);
}

}  // namespace
}  // namespace vkgpt::train
