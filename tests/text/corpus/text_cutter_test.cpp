#include "vkgpt/text/corpus/text_cutter.hpp"

#include <string>

#include <gtest/gtest.h>

#include "support/expect_error.hpp"
#include "support/temp_directory.hpp"

namespace vkgpt::text {
namespace {

/// Words end before a space.
std::size_t before_last_space(std::string_view text) {
  const std::size_t space = text.rfind(' ');
  return space == std::string_view::npos ? 0 : space;
}

TEST(TextCutter, CutsWhereItMayAndGoesOnFromEveryPlace) {
  const TempDirectory directory;
  std::string text;
  for (int i = 0; i < 60; ++i) text += std::string(static_cast<std::size_t>(i % 29), 'w') + " ";
  write_file(directory / "a.txt", text + "end");
  write_file(directory / "b.txt", "second file<sep>third<sep><sep>last");
  const TextSourceConfig config{.inputs = {(directory / "a.txt").string(), (directory / "b.txt").string()},
                                .document_separator = "<sep>",
                                .piece_bytes = 16};
  const auto read = [&](std::size_t input, std::uint64_t offset) {
    TextSource source(config);
    source.seek(input, offset);
    TextCutter cutter(source, before_last_space);
    std::string all;
    while (const auto piece = cutter.next()) all += piece->text + (piece->ends_document ? "|" : "");
    return all;
  };
  EXPECT_EQ(read(0, 0), text + "end|second file|third|last|");
  TextSource source(config);
  TextCutter cutter(source, before_last_space);
  std::string before;
  while (const auto piece = cutter.next()) {
    before += piece->text + (piece->ends_document ? "|" : "");
    EXPECT_EQ(before + read(piece->input, piece->offset), text + "end|second file|third|last|");
  }
}

TEST(TextCutter, RefusesAnEndlessWord) {
  const TempDirectory directory(TempDirectory::in_memory());
  write_file(directory / "a.txt", std::string(80 << 20, 'a'));
  TextSource source({.inputs = {(directory / "a.txt").string()}, .piece_bytes = std::size_t{8} << 20});
  TextCutter cutter(source, before_last_space);
  expect_error([&] { cutter.next(); }, "no word ends within the 64 MiB");
}

}  // namespace
}  // namespace vkgpt::text
