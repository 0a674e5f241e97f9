#include "cli/data/download.hpp"

#include <filesystem>
#include <string>

#include <gtest/gtest.h>

#include "support/expect_error.hpp"
#include "support/scoped_environment.hpp"
#include "support/temp_directory.hpp"

namespace vkgpt::cli {
namespace {

/// A PATH whose only program is a stand-in for curl or wget; the net is a local file.
class DownloadTest : public testing::Test {
 protected:
  /// `body` is a shell script that finds the path to write in $out and the contents in $net.
  void install(const std::string& program, const std::string& body) {
    const Path path = directory_ / program;
    write_file(path,
               "#!/bin/sh\nnet=" + (directory_ / "net").string() +
                   "\nwhile [ $# -gt 0 ]; do case \"$1\" in -o|-O) out=$2; shift;; esac; shift; done\n" +
                   body + "\n");
    std::filesystem::permissions(path, std::filesystem::perms::owner_all);
  }
  void SetUp() override { write_file(directory_ / "net", contents_); }

  RemoteFile remote() const {
    return {.url = "https://example.org/a.txt", .size = contents_.size(), .sha256 = hash_};
  }
  Path target() const { return directory_ / "data" / "a.txt"; }
  Path part() const { return directory_ / "data" / "a.txt.part"; }

  static constexpr auto kCopy = "/bin/cat \"$net\" > \"$out\"";
  TempDirectory directory_;
  std::string contents_ = "To be, or not to be\n";
  std::string hash_ = sha256(contents_);
  test::ScopedEnvironment path_{"PATH", directory_.path().string()};
};

TEST_F(DownloadTest, FetchesOnceWithEitherProgram) {
  for (const char* program : {"curl", "wget"}) {
    install(program, kCopy);
    EXPECT_TRUE(download(remote(), target()));
    EXPECT_EQ(read_file(target()), contents_);
    EXPECT_FALSE(std::filesystem::exists(part()));
    std::filesystem::remove(directory_ / program);
    EXPECT_FALSE(download(remote(), target()));  // no program is left: it must not ask for one
    std::filesystem::remove(target());
  }
}

TEST_F(DownloadTest, ContinuesOrAcceptsWhatIsThere) {
  std::filesystem::create_directory(directory_ / "data");
  write_file(part(), contents_.substr(0, 5));
  install("curl", "tail=$(/usr/bin/tail -c +6 \"$net\"; echo x); printf %s \"${tail%x}\" >> \"$out\"");
  EXPECT_TRUE(download(remote(), target()));
  EXPECT_EQ(read_file(target()), contents_);

  std::filesystem::remove(target());
  std::filesystem::remove(directory_ / "curl");
  write_file(part(), contents_);  // complete, but killed before it got its name
  EXPECT_TRUE(download(remote(), target()));
}

TEST_F(DownloadTest, SaysWhatWentWrong) {
  expect_error([&] { download(remote(), target()); }, "neither curl nor wget is installed");
  install("curl", "exit 6");
  expect_error(
      [&] { download(remote(), target()); },
      "cannot download https://example.org/a.txt: curl ended with 6: the host name cannot be resolved");
  EXPECT_FALSE(std::filesystem::exists(target()));
}

TEST_F(DownloadTest, RefusesOtherContents) {
  install("curl", "echo '<html>log in</html>' > \"$out\"");
  expect_error([&] { download(remote(), target()); }, "what arrived is not the expected file");
  EXPECT_FALSE(std::filesystem::exists(part()));
  EXPECT_FALSE(std::filesystem::exists(target()));

  install("curl", kCopy);
  write_file(target(), "the user's own");
  expect_error([&] { download(remote(), target()); }, "is there with other contents");
  EXPECT_EQ(read_file(target()), "the user's own");
}

}  // namespace
}  // namespace vkgpt::cli
