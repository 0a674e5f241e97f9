#include "vkgpt/text/corpus/token_view.hpp"

#include <deque>
#include <filesystem>
#include <numeric>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "vkgpt/core/check.hpp"

#include "support/expect_error.hpp"
#include "support/temp_directory.hpp"

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
  const TempDirectory directory;
  std::vector<Token> all(60);
  std::iota(all.begin(), all.end(), 0);
  std::deque<TokenFile> files;
  std::vector<TokenPiece> pieces;
  std::size_t position = 0;
  for (const std::size_t size : {7, 1, 0, 30, 22}) {
    const Path path = directory / std::to_string(pieces.size());
    // Two tokens before the piece and one behind it are of no concern to the sequence.
    TokenFileWriter writer(path, pieces.size() % 2 == 0 ? 2 : 4);
    writer.append(std::vector<Token>{77, 78});
    writer.append(std::span(all).subspan(position, size));
    writer.append(std::vector<Token>{79});
    writer.finish();
    pieces.push_back({.file = &files.emplace_back(path), .first = 2, .count = size, .position = position});
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

TEST(TokenView, AFileThatIsCutLaterIsAnErrorWithItsName) {
  const TempDirectory directory;
  for (const int width : {2, 4}) {
    const Path path = directory / std::to_string(width);
    const std::vector<Token> tokens(100000, 5);
    TokenFileWriter writer(path, width);
    writer.append(tokens);
    writer.finish();
    const TokenFile file(path);
    const TokenPiece piece = whole(file);
    const TokenView view(std::span(&piece, 1), 6);
    std::filesystem::resize_file(path, 2000);
    std::vector<Token> out(200);
    view.copy(0, out);
    EXPECT_EQ(out.back(), 5);
    expect_error([&] { view.copy(90000, out); },
                 path.string() + ": " + std::to_string(200 * width) + " bytes are needed at byte");
    expect_error([&] { view.copy(90000, out); }, "cut off");
  }
}

}  // namespace
}  // namespace vkgpt::text
