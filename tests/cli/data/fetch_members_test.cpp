#include "cli/data/fetch_members.hpp"

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "support/expect_error.hpp"
#include "support/http_server.hpp"
#include "support/scoped_environment.hpp"
#include "support/small_zip.hpp"
#include "support/temp_directory.hpp"

namespace vkgpt::cli {
namespace {

using test::HttpRequest;

/// An archive as ARC's on a server whose connection may break.
class FetchMembers : public testing::Test {
 protected:
  std::string answer(const HttpRequest& request) {
    ++requests_;
    const std::string body = zip_.substr(request.range_begin);
    std::string head = request.range_begin > 0 ? "HTTP/1.1 206 Partial Content\r\n" : "HTTP/1.1 200 OK\r\n";
    head += "Content-Length: " + std::to_string(body.size()) + "\r\n";
    if (request.range_begin > 0) {
      head += "Content-Range: bytes " + std::to_string(request.range_begin) + "-" +
              std::to_string(zip_.size() - 1) + "/" + std::to_string(zip_.size()) + "\r\n";
    }
    return head + "Connection: close\r\n\r\n" + body.substr(0, break_at_);
  }
  bool fetch() {
    const RemoteFile remote{.url = server_.address() + "/a.zip", .size = zip_.size(), .sha256 = sha256(zip_)};
    return fetch_members(remote, archive(), files_);
  }
  Path archive() const { return directory_ / "data" / "a.zip"; }
  Path file(const std::string& name) const { return directory_ / "data" / name; }

  TempDirectory directory_;
  test::ScopedEnvironment proxy_{"no_proxy", "127.0.0.1"};
  std::string zip_ = test::make_zip(
      {{.name = "f/README.txt", .contents = "not wanted"},
       {.name = "f/Easy/Test.jsonl", .contents = std::string(5000, 'e') + "\n", .deflated = true},
       {.name = "f/Hard/Test.jsonl", .contents = "hard\n"}});
  std::vector<MemberFile> files_ = {{.member = "f/Easy/Test.jsonl", .path = file("Easy.jsonl")},
                                    {.member = "f/Hard/Test.jsonl", .path = file("Hard.jsonl")}};
  std::atomic<std::size_t> break_at_ = SIZE_MAX;
  std::atomic<int> requests_ = 0;
  test::HttpServer server_{[this](const HttpRequest& request) { return answer(request); }};
};

TEST_F(FetchMembers, TakesThemOutAndRemovesTheArchive) {
  break_at_ = 40;
  expect_error([&] { fetch(); }, "ended with 18");
  EXPECT_EQ(std::filesystem::file_size(archive().string() + ".part"), 40U);
  break_at_ = SIZE_MAX;
  EXPECT_TRUE(fetch());
  EXPECT_EQ(read_file(file("Easy.jsonl")), std::string(5000, 'e') + "\n");
  EXPECT_EQ(read_file(file("Hard.jsonl")), "hard\n");
  EXPECT_FALSE(std::filesystem::exists(archive()));
  requests_ = 0;
  EXPECT_FALSE(fetch());
  EXPECT_EQ(requests_, 0) << "they are known again without the net";
  std::filesystem::remove(file("Hard.jsonl"));
  EXPECT_TRUE(fetch());
  EXPECT_EQ(read_file(file("Hard.jsonl")), "hard\n");
  write_file(file("Easy.jsonl"), "changed");
  expect_error([&] { fetch(); }, "is not what was fetched");
}

TEST_F(FetchMembers, SaysWhatIsMissing) {
  files_.push_back({.member = "f/None.jsonl", .path = file("None.jsonl")});
  expect_error([&] { fetch(); }, "it has no member f/None.jsonl");
}

}  // namespace
}  // namespace vkgpt::cli
