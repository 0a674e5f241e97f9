#include "vkgpt/text/corpus/token_view.hpp"

#include <numeric>
#include <vector>

#include <gtest/gtest.h>

#include "vkgpt/core/check.hpp"

namespace vkgpt::text {
namespace {

TEST(TokenView, ReadsBothWidths) {
  const std::vector<std::uint16_t> narrow = {1, 65535, 3};
  const std::vector<std::int32_t> wide = {1, 70000, 3};
  std::vector<std::int32_t> out(2);
  TokenView(std::span(narrow)).copy(1, out);
  EXPECT_EQ(out, (std::vector<std::int32_t>{65535, 3}));
  TokenView(std::span(wide)).subview(1, 2).copy(0, out);
  EXPECT_EQ(out, (std::vector<std::int32_t>{70000, 3}));
  EXPECT_THROW(TokenView(std::span(wide)).copy(2, out), CheckFailure);
  EXPECT_THROW(TokenView(std::span(wide)).subview(4, 0), CheckFailure);
  EXPECT_THROW(TokenView(std::span(wide)).subview(1, SIZE_MAX), CheckFailure);
}

TEST(TokenView, PiecesReadLikeOneSequence) {
  std::vector<Token> all(60);
  std::iota(all.begin(), all.end(), 0);
  const std::vector<std::uint16_t> narrow(all.begin(), all.end());
  std::vector<TokenPiece> pieces;
  std::size_t position = 0;
  for (const std::size_t size : {7, 1, 0, 30, 22}) {
    const TokenSpan span = pieces.size() % 2 == 0
                               ? TokenSpan(std::span(narrow).subspan(position, size))
                               : TokenSpan(std::span<const Token>(all).subspan(position, size));
    pieces.push_back({.tokens = span, .name = "piece", .first = 0, .position = position});
    position += size;
  }
  const TokenView view(pieces, 60);
  ASSERT_EQ(view.size(), 60U);
  for (std::size_t begin = 0; begin <= 60; ++begin) {
    for (std::size_t end = begin; end <= 60; ++end) {
      std::vector<Token> out(end - begin);
      view.subview(begin, 60 - begin).copy(0, out);
      EXPECT_TRUE(std::equal(out.begin(), out.end(), all.begin() + static_cast<std::ptrdiff_t>(begin)));
    }
  }
  std::vector<Token> out(2);
  EXPECT_THROW(view.subview(0, 10).copy(9, out), CheckFailure);
}

}  // namespace
}  // namespace vkgpt::text
