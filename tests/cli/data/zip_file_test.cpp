#include "cli/data/zip_file.hpp"

#include <filesystem>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "vkgpt/core/error.hpp"

#include "support/expect_error.hpp"
#include "support/small_zip.hpp"
#include "support/temp_directory.hpp"

namespace vkgpt::cli {
namespace {

using test::make_zip;
using test::ZipPart;

/// Numbers that deflate makes much smaller, of several pieces.
std::string long_text() {
  std::string text;
  for (int i = 0; i < 120'000; ++i) text += std::to_string(i % 1000) + "\n";
  return text;
}

class ZipFileTest : public testing::Test {
 protected:
  void write(const std::string& bytes) const { write_file(zip(), bytes); }
  Path zip() const { return directory_ / "a.zip"; }
  Path out() const { return directory_ / "out"; }
  void refuse(const std::string& bytes, const std::string& member, const std::string& part) const {
    write(bytes);
    expect_error([&] { ZipFile(zip()).extract(member, out()); }, part);
    EXPECT_FALSE(std::filesystem::exists(out()));
    EXPECT_FALSE(std::filesystem::exists(out().string() + ".part"));
  }

  TempDirectory directory_;
};

TEST_F(ZipFileTest, GivesMembersByName) {
  const std::vector<ZipPart> parts = {{.name = "d/stored", .contents = "as it is"},
                                      {.name = "d/long", .contents = long_text(), .deflated = true},
                                      {.name = "d/none", .contents = "", .deflated = true},
                                      {.name = "../up", .contents = "x"}};
  for (const char* comment : {"", "a comment of the archive, PK\x05\x06 in it, longer than an end of one"}) {
    write(make_zip(parts, comment));
    const ZipFile file(zip());
    for (const ZipPart& part : parts) {
      file.extract(part.name, out());
      EXPECT_EQ(read_file(out()), part.contents) << part.name;
    }
    expect_error([&] { file.extract("long", out()); }, "it has no member long");
  }
  EXPECT_FALSE(std::filesystem::exists(directory_.path().parent_path() / "up"));
}

TEST_F(ZipFileTest, RefusesWhatItCannotRead) {
  const std::string good = make_zip({{.name = "a", .contents = "contents"}});
  refuse("", "a", "its end is missing");
  refuse(good.substr(0, good.size() - 1), "a", "its end is missing");
  refuse(good + "x", "a", "its end is missing");
  refuse(good.substr(1), "a", "its directory is not before its end");
  const auto with = [&](std::size_t from_end, const std::string& bytes) {
    std::string changed = good;
    changed.replace(changed.size() - from_end, bytes.size(), bytes);
    return changed;
  };
  refuse(with(22 - 4, "\x01"), "a", "one of several parts");
  refuse(with(22 - 8, "\xff\xff\xff\xff"), "a", "zip64");
  const std::size_t entry = 22 + 46 + 1;
  refuse(with(entry, "x"), "a", "entry 1 of its directory is broken");
  refuse(with(entry - 28, "\xff"), "a", "entry 1 of its directory is cut off");
  refuse(with(entry - 8, "\x01"), "a", "encrypted");
  refuse(with(entry - 10, "\x0c"), "a", "packed in another way");
  refuse(with(entry - 42, "\x01"), "a", "member a lies outside");
  refuse(with(entry - 20, "\xff"), "a", "member a lies outside");
  refuse(with(entry - 16, "x"), "a", "is not what its size and checksum say");
  refuse(with(entry - 24, "\x07"), "a", "member a is broken");
}

/// Any byte changed, or any end missing, is either of no effect or refused.
TEST_F(ZipFileTest, NeverGivesOtherContents) {
  const std::string contents = "abcabcabcabcabc, and so on";
  const std::string good = make_zip({{.name = "a", .contents = contents, .deflated = true}});
  const auto check = [&](const std::string& bytes) {
    write(bytes);
    try {
      ZipFile(zip()).extract("a", out());
      EXPECT_EQ(read_file(out()), contents);
    } catch (const Error& error) {
      EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos);
    }
  };
  for (std::size_t i = 0; i < good.size(); ++i) {
    for (const char flip : {'\x01', '\x80', '\xff'}) {
      std::string changed = good;
      changed[i] = static_cast<char>(changed[i] ^ flip);
      check(changed);
    }
    check(good.substr(0, i));
  }
}

}  // namespace
}  // namespace vkgpt::cli
