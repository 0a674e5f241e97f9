#include "vkgpt/train/packing.hpp"

#include <numeric>
#include <set>
#include <vector>

#include <gtest/gtest.h>

#include "vkgpt/train/data_loader.hpp"

#include "support/expect_error.hpp"

namespace vkgpt::train {
namespace {

/// Documents of these lengths; token i of a split has value i, and every third is not learned.
text::TokenizedDocuments split_of(const std::vector<std::uint32_t>& lengths) {
  text::TokenizedDocuments split;
  for (const std::uint32_t length : lengths) {
    split.documents.spans.push_back({.begin = split.tokens.size(), .tokens = length});
    split.tokens.resize(split.tokens.size() + length);
  }
  std::iota(split.tokens.begin(), split.tokens.end(), 0);
  for (const text::Token token : split.tokens) split.documents.counted.push_back(token % 3 != 0);
  return split;
}

TEST(Packing, FillsWindowsWithWholeDocuments) {
  const text::TokenizedDocuments split = split_of({4, 9, 3, 5, 2, 6, 9, 3});
  const Packing packing(split.documents, 8, true, Overlong::kTruncate, "data");
  std::multiset<std::uint64_t> begins;
  std::int64_t tokens = 0;
  for (std::size_t i = 0; i < packing.size(); ++i) {
    EXPECT_LE(packing.tokens(i), 8);
    tokens += packing.tokens(i);
    for (const text::DocumentSpan& span : packing.window(i)) begins.insert(span.begin);
  }
  EXPECT_EQ(tokens, 41 - 8) << "every document gives its last token up";
  EXPECT_EQ(packing.size(), 5U) << "8, 8, 5 + 3, 4 + 2 + 2, 1";
  EXPECT_EQ(begins.size(), 8U);
  EXPECT_EQ(Packing(split.documents, 8, false, Overlong::kTruncate, "data").size(), 8U) << "each alone";
}

TEST(Packing, CountsWhatDoesNotFit) {
  const text::TokenizedDocuments split = split_of({20, 3, 1, 30});
  const Packing cut(split.documents, 8, true, Overlong::kTruncate, "data");
  EXPECT_EQ(cut.report().cut, 2U);
  EXPECT_EQ(cut.report().empty, 1U) << "a single token teaches nothing";
  EXPECT_EQ(cut.size(), 3U);
  const Packing dropped(split.documents, 8, true, Overlong::kDrop, "data");
  EXPECT_EQ(dropped.report().dropped, 2U);
  EXPECT_EQ(dropped.size(), 1U);
  expect_error([&] { Packing(split.documents, 8, true, Overlong::kError, "data"); },
               "data: document 1 has 20 tokens, a window of --block_size 8 holds 9");
  const Packing parts(split.documents, 8, false, Overlong::kSplit, "data");
  std::int64_t tokens = 0;
  for (std::size_t i = 0; i < parts.size(); ++i) tokens += parts.tokens(i);
  EXPECT_EQ(tokens, 19 + 2 + 29) << "nothing is lost";
}

class PackedLoader : public testing::TestWithParam<bool> {};

TEST_P(PackedLoader, ReadsEveryDocumentOnceAnEpoch) {
  constexpr std::int64_t kWidth = 8, kRows = 2, kSize = kRows * kWidth;
  const text::Corpus corpus =
      text::Corpus::of_documents({split_of({4, 9, 3, 5, 2, 6, 9, 3}), split_of({5, 5, 5})}, 64);
  PackedSplits packed{.windows = {}, .replies_only = true};
  for (std::size_t i = 0; i < 2; ++i) {
    packed.windows[i] = {corpus.documents(i), kWidth, GetParam(), Overlong::kTruncate, "data"};
  }
  const DataLoader loader(corpus, packed, 3, {.order = BatchOrder::kRandom, .micro_steps = 1});
  std::vector<std::int32_t> tokens(kSize), targets(kSize), positions(kSize), ends(kSize);
  const BatchTarget batch{tokens, targets, positions, ends};
  std::multiset<std::int32_t> learned;
  const auto windows = static_cast<std::int64_t>(packed.windows[0].size());
  std::int64_t read = 0;
  for (std::int64_t step = 0; step < windows; ++step) {  // kRows epochs
    loader.fill_train(static_cast<std::uint64_t>(step), 0, batch);
    read += loader.step_tokens(static_cast<std::uint64_t>(step), kRows);
    for (std::size_t i = 0; i < kSize; ++i) {
      if (targets[i] >= 0) learned.insert(targets[i]);
      EXPECT_TRUE(targets[i] == -1 || (targets[i] == tokens[i] + 1 && targets[i] % 3 != 0));
      const auto t = static_cast<std::int32_t>(i % kWidth);
      EXPECT_LE(positions[i], t);
      EXPECT_GT(ends[i], t);
      EXPECT_EQ(positions[i] == 0 || positions[i] == positions[i - 1] + 1, true);
    }
  }
  EXPECT_EQ(read, kRows * (41 - 8));
  for (const std::int32_t token : learned)
    EXPECT_EQ(learned.count(token), static_cast<std::size_t>(kRows)) << token;
  EXPECT_EQ(learned.size(), static_cast<std::size_t>(kRows) * (27 - 6)) << "but the first of each document";

  std::size_t validated = 0;
  for (std::uint32_t index = 0; index < 4; ++index) {
    loader.fill_eval(Split::kValidation, index, batch);
    for (const std::int32_t target : targets) validated += target >= 0 ? 1 : 0;
  }
  EXPECT_EQ(validated, 8U) << "each held-out document once, then nothing";
}

INSTANTIATE_TEST_SUITE_P(All, PackedLoader, testing::Bool());

/// The lengths of the documents of each window.
std::vector<std::vector<std::uint32_t>> lengths_of(const Packing& packing) {
  std::vector<std::vector<std::uint32_t>> windows;
  for (std::size_t i = 0; i < packing.size(); ++i) {
    windows.emplace_back();
    for (const text::DocumentSpan& span : packing.window(i)) windows.back().push_back(span.tokens);
  }
  return windows;
}

TEST(PairPacking, KeepsPairsTogether) {
  using Lengths = std::vector<std::vector<std::uint32_t>>;
  text::TokenizedDocuments split = split_of({4, 5, 9, 3, 3, 3, 5, 6, 2, 2});
  split.documents.counted.clear();
  EXPECT_EQ(lengths_of(Packing::of_pairs(split.documents, 16, 3, Overlong::kError, "pairs")),
            (Lengths{{4, 5, 5, 6}, {9, 3, 3, 3, 2, 2}}));
  EXPECT_EQ(lengths_of(Packing::of_pairs(split.documents, 16, 1, Overlong::kError, "pairs")).size(), 5U);
  const Packing cut = Packing::of_pairs(split.documents, 8, 2, Overlong::kTruncate, "pairs");
  EXPECT_EQ(lengths_of(cut), (Lengths{{4, 5}, {7, 3}, {3, 3, 2, 2}, {5, 5}}));
  EXPECT_EQ(cut.report().cut, 2U);
  const Packing dropped = Packing::of_pairs(split.documents, 8, 2, Overlong::kDrop, "pairs");
  EXPECT_EQ(lengths_of(dropped), (Lengths{{4, 5}, {3, 3, 2, 2}}));
  EXPECT_EQ(dropped.report().dropped, 2U);
  expect_error([&] { Packing::of_pairs(split.documents, 8, 2, Overlong::kError, "pairs"); },
               "pairs: pair 2 takes 10 positions, a window of --block_size 8 has 8");
}

TEST(PairPacking, LoaderTellsWherePairsAre) {
  text::TokenizedDocuments split = split_of({4, 5, 9, 3, 3, 3});
  split.documents.counted.assign(split.tokens.size(), true);
  const text::Corpus corpus = text::Corpus::of_documents({split, split}, 29);
  PackedSplits packed{.windows = {}, .replies_only = true, .pairs = 2};
  for (Packing& windows : packed.windows) {
    windows = Packing::of_pairs(split.documents, 12, 2, Overlong::kError, "pairs");
  }
  DataLoader loader(corpus, packed, 1, {.order = BatchOrder::kSequential});
  EXPECT_EQ(loader.window_count(Split::kTrain), 2U);
  EXPECT_EQ(loader.pairs_in(Split::kTrain, 0, 2), 3U);
  loader.set_reference(Split::kTrain, {{1, 2}, {3, 4}, {5, 6}});
  std::vector<std::int32_t> tokens(24), targets(24), positions(24), ends(24), pairs(16, 7);
  std::vector<float> reference(8, 7.0F);
  loader.fill_windows(Split::kTrain, 0, {tokens, targets, positions, ends, pairs, reference});
  // Windows: {4, 5} and {3, 3}, then {9, 3}.
  EXPECT_EQ(pairs, (std::vector<std::int32_t>{0, 3, 3, 7, 7, 9, 9, 11, 12, 20, 20, 22, 0, 0, 0, 0}));
  EXPECT_EQ(reference, (std::vector<float>{1, 2, 3, 4, 5, 6, 0, 0}));
  EXPECT_EQ(positions[7], 0);
  EXPECT_EQ(ends[7], 9);
  EXPECT_EQ(targets[11], -1);
}

}  // namespace
}  // namespace vkgpt::train
