// Compressed texts are read as what is in them, wherever a text is read.

#include "support/packed.hpp"

#include <filesystem>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "vkgpt/text/corpus/corpus.hpp"
#include "vkgpt/text/corpus/text_source.hpp"

#include "support/expect_error.hpp"
#include "support/temp_directory.hpp"
#include "text/corpus/unpacker.hpp"

namespace vkgpt::text {
namespace {

using test::gzip;
using test::zstd;

/// Longer than any buffer, and not of one character.
std::string long_text() {
  std::string text;
  for (int i = 0; text.size() < 3'000'000; ++i) text += "línea " + std::to_string(i * 7919 % 100003) + "\n";
  return text;
}

class PackedTest : public testing::Test {
 protected:
  Path file(const std::string& name, const std::string& contents) {
    write_file(directory_ / name, contents);
    return directory_ / name;
  }
  std::string read_all(const Path& path, std::uint64_t from = 0) {
    TextSource source({.inputs = {path.string()}});
    if (from > 0) source.seek(0, from);
    std::string all;
    while (const auto piece = source.next()) all += piece->text;
    return all;
  }

  TempDirectory directory_;
};

TEST_F(PackedTest, BothFormatsAndSeveralFilesBehindEachOther) {
  const std::string text = long_text();
  for (const auto& pack : {gzip, zstd}) {
    const Path path = file("a", pack(text));
    EXPECT_TRUE(unpack_file(path, 1 << 30) == text);
    EXPECT_TRUE(unpack_file(file("b", pack("one ") + pack("") + pack("two")), 100) == "one two");
    EXPECT_EQ(unpack_file(file("c", pack("")), 100), "");
    expect_error([&] { unpack_file(path, 2 << 20); }, "unpacks to more than 2 MiB");
  }
}

TEST_F(PackedTest, PaddingAndSkippedFramesHoldNothing) {
  using namespace std::string_literals;
  const std::string zeros(700'000, '\0');
  EXPECT_EQ(unpack_file(file("a", gzip("one ") + gzip("two") + zeros), 100), "one two");
  const std::string skipped = "\x51\x2a\x4d\x18\x04\0\0\0size"s;
  EXPECT_EQ(read_all(file("b.txt", skipped + zstd("one ") + skipped + zstd("two"))), "one two");
  expect_error([&] { unpack_file(file("c", gzip("one") + "x"), 100); }, "damaged or cut off");
}

TEST_F(PackedTest, DamageIsAnErrorWithTheFilesName) {
  const std::string text = long_text();
  for (const auto& pack : {gzip, zstd}) {
    const std::string packed = pack(text);
    for (const std::size_t size : {std::size_t{5}, packed.size() / 2, packed.size() - 1}) {
      expect_error([&] { unpack_file(file("cut", packed.substr(0, size)), 1 << 30); },
                   "cut: its compressed data");
    }
    std::string damaged = packed;
    for (std::size_t i = damaged.size() / 2; i < damaged.size() / 2 + 40; ++i) damaged[i] ^= 0x55;
    expect_error([&] { TextSource({.inputs = {file("bad", damaged).string()}}); }, "damaged or cut off");
    expect_error([&] { unpack_file(file("more", packed + "tail"), 1 << 30); }, "damaged");
  }
}

TEST_F(PackedTest, ASourceReadsSeeksAndCutsAsInThePlainFile) {
  const std::string text = long_text();
  const Path plain = file("plain.txt", text);
  TextSource source({.inputs = {plain.string()}});
  for (const auto& pack : {gzip, zstd}) {
    const Path path = file("packed.txt.gz", pack(text));  // what it is, its first bytes say
    TextSource packed({.inputs = {path.string()}});
    EXPECT_EQ(packed.total_bytes(), text.size());
    EXPECT_TRUE(packed.inputs()[0].packed);
    EXPECT_TRUE(read_all(path) == text);
    EXPECT_TRUE(read_all(path, 2'000'003) == text.substr(2'000'003));
    for (std::uint64_t at : {0U, 1U, 2U, 3U, 999'999U, 1'000'000U, 1'000'001U, 2'999'990U}) {
      EXPECT_EQ(packed.character_begin(0, at), source.character_begin(0, at)) << at;
    }
    expect_error([&] { packed.seek(0, text.size() + 1); }, "ends at byte");
  }
  EXPECT_EQ(source.character_begin(0, 2), 1U) << "inside the í";
}

TEST_F(PackedTest, JsonLinesGiveTheirRecordsAndTheLineOfAMistake) {
  const std::string lines = "{\"text\": \"one\"}\n{\"text\": \"two\"}\nbroken\n";
  for (const char* name : {"a.jsonl.gz", "a.ndjson.zst"}) {
    const bool is_gzip = std::string(name).ends_with("gz");
    const auto pack = is_gzip ? gzip : zstd;
    EXPECT_EQ(read_all(file(name, pack(lines.substr(0, 32)))), "onetwo");
    EXPECT_EQ(read_text(directory_ / name), "one\ntwo\n");
    expect_error([&] { read_all(file(name, pack(lines))); }, std::string(name) + ":3");
  }
}

TEST_F(PackedTest, DirectoriesAreSearchedForThem) {
  for (const char* name : {"a.txt.gz", "b.jsonl.zst", "c.md", "d.gz"}) {
    const std::string text = std::string(name).contains("jsonl") ? "{\"text\": \"x\"}\n" : "x";
    file(name, std::string(name).ends_with("zst") ? zstd(text) : gzip(text));
  }
  const TextSource source({.inputs = {directory_.path().string()}});
  ASSERT_EQ(source.inputs().size(), 3U);
  EXPECT_FALSE(source.inputs()[0].json_lines);
  EXPECT_TRUE(source.inputs()[1].json_lines);
}

TEST_F(PackedTest, WhatIsNoTextIsNamed) {
  const std::string utf16("h\0e\0l\0l\0o\0 \0", 12);
  const std::string binary("\x01\x02\x00\x03 some words", 16);
  const std::vector<std::pair<std::string, std::string>> files = {
      {"PAR1....", "a Parquet file"},
      {"version https://git-lfs.github.com/spec/v1\n", "a Git LFS pointer"},
      {"\xff\xfeh", "UTF-16"},
      {std::string("\xff\xfe\0\0h\0\0\0", 8), "UTF-32"},
      {utf16, "UTF-16"},
      {binary, "binary data, not a text"},
      {"%PDF-1.4", "a PDF"},
      {"PK\x03\x04..", "a ZIP archive"},
  };
  for (const auto& [contents, part] : files) {
    for (const std::string& form : {contents, gzip(contents), zstd(contents)}) {
      const Path path = file("x.txt", form);
      expect_error([&] { read_all(path); }, part);
      expect_error([&] { read_text(path); }, part);
      if (contents == binary) {
        EXPECT_EQ(read_bytes(path, 1 << 20), binary) << "encode takes any bytes";
      } else {
        expect_error([&] { read_bytes(path, 1 << 20); }, part);
      }
    }
  }
}

}  // namespace
}  // namespace vkgpt::text
