#include "vkgpt/model/exchange_layout.hpp"

#include <gtest/gtest.h>

#include "vkgpt/core/error.hpp"

#include "support/tiny_config.hpp"

namespace vkgpt::model {
namespace {

class Layouts : public testing::TestWithParam<std::tuple<int, OptimizerKind, bool>> {
 protected:
  ExchangeLayout layout(std::int64_t size) const {
    const auto [embd, optimizer, bf16] = GetParam();
    GptConfig config = test::tiny_gpt2_config();
    config.n_embd = embd;
    return exchange_layout(GptParams(config), optimizer,
                           {.rank = 0, .size = size, .bf16_wire = bf16, .bucket_elements = 4096});
  }
};

void expect_tiles(std::vector<ArenaRange> ranges, std::int64_t elements) {
  std::ranges::sort(ranges, {}, &ArenaRange::first);
  std::int64_t end = 0;
  for (const ArenaRange range : ranges) {
    EXPECT_EQ(range.first, end);
    EXPECT_GT(range.count, 0);
    EXPECT_EQ(range.count % GptParams::kAlignment, 0);
    end = range.end();
  }
  EXPECT_EQ(end, elements);
}

TEST_P(Layouts, CoverTheArenaOnce) {
  for (const std::int64_t size : {1, 2, 3, 4}) {
    const ExchangeLayout l = layout(size);
    ASSERT_EQ(l.size(), size);
    expect_tiles(l.shards, l.elements);
    expect_tiles(l.parts, l.elements);
    expect_tiles(l.buckets, l.elements);
    std::vector<ArenaRange> pieces;
    for (const ExchangePiece& piece : l.pieces) {
      pieces.push_back(piece.range);
      EXPECT_EQ(l.shards[piece.owner].common(piece.range), piece.range);
      EXPECT_LE(piece.place + size * l.words(piece.range.count), l.incoming_words(piece.owner));
    }
    expect_tiles(pieces, l.elements);
  }
}

/// What the norm is summed from does not depend on how many ranks there are.
TEST_P(Layouts, PartsOfTheNormStayTheSame) {
  const std::vector<ArenaRange> parts = layout(1).parts;
  for (const std::int64_t size : {2, 3, 4}) EXPECT_EQ(layout(size).parts, parts);
}

INSTANTIATE_TEST_SUITE_P(All, Layouts,
                         testing::Combine(testing::Values(32, 64, 128),
                                          testing::Values(OptimizerKind::kAdamW, OptimizerKind::kMuon),
                                          testing::Bool()));

TEST(ExchangeLayout, KeepsMatricesOfMuonWhole) {
  GptConfig config = test::tiny_gpt2_config();
  config.n_embd = 128;
  const GptParams params(config);
  const ExchangeLayout l = exchange_layout(params, OptimizerKind::kMuon, {.rank = 0, .size = 4});
  for (const ParamSpec& spec : params.specs()) {
    if (!is_hidden_matrix(spec)) continue;
    const auto owns = [&](const ArenaRange& shard) {
      return shard.common({spec.offset, spec.numel()}).count == spec.numel();
    };
    EXPECT_EQ(std::ranges::count_if(l.shards, owns), 1) << spec.name;
  }
}

TEST(ExchangeLayout, RefusesMoreRanksThanParts) {
  EXPECT_THROW(
      exchange_layout(GptParams(test::tiny_gpt2_config()), OptimizerKind::kAdamW, {.rank = 0, .size = 1000}),
      Error);
}

}  // namespace
}  // namespace vkgpt::model
