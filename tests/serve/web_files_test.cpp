#include "serve/web_files.hpp"

#include <algorithm>
#include <regex>
#include <sstream>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "vkgpt/core/file.hpp"
#include "vkgpt/core/hash.hpp"

#include "support/paths.hpp"

namespace vkgpt::serve {
namespace {

TEST(WebFiles, AreThePagesAndWhatTheyName) {
  EXPECT_EQ(page("chat").status, 200);
  EXPECT_EQ(page("dashboard").status, 200);
  EXPECT_EQ(page("chat").content_type, "text/html; charset=utf-8");
  EXPECT_EQ(web_file("/chat.js").content_type, "text/javascript; charset=utf-8");
  for (const char* path : {"/", "/chat.html", "/../chat.js", "/nothing.js", "/vendor", "//chat.js"}) {
    EXPECT_EQ(web_file(path).status, 404) << path;
  }
}

/// Every file that a page or a module names is there, and nothing is loaded from elsewhere.
TEST(WebFiles, NameNothingThatIsNotThere) {
  int named = 0;
  for (const WebFile& file : web_files()) {
    if (file.name.starts_with("vendor/")) continue;
    const std::string text(file.contents);
    const std::regex reference(R"re((?:src=|href=|from )"([^"#]+)")re");
    for (std::sregex_iterator it(text.begin(), text.end(), reference), end; it != end; ++it) {
      std::string target = (*it)[1];
      if (target.starts_with("./")) target.erase(0, 2);
      EXPECT_EQ(web_file(target).status, 200) << file.name << " names " << target;
      ++named;
    }
    EXPECT_EQ(text.find("style=\""), std::string::npos) << file.name << ": the policy forbids it";
    EXPECT_EQ(text.find("onclick=\""), std::string::npos) << file.name;
    EXPECT_EQ(text.find("//cdn"), std::string::npos) << file.name;
  }
  EXPECT_GT(named, 10);
}

TEST(WebFiles, OfOthersAreWhatTheChecksumsSay) {
  std::istringstream lines(read_file(test::source_dir() / "assets/web/vendor/checksums.txt"));
  int checked = 0;
  for (std::string line; std::getline(lines, line);) {
    const std::size_t space = line.find("  ");
    if (space != 64) continue;
    EXPECT_EQ(sha256(web_file("vendor/" + line.substr(space + 2)).body), line.substr(0, 64)) << line;
    ++checked;
  }
  EXPECT_EQ(checked, 5);
}

TEST(WebFiles, MayNotBeFramedNorLoadFromElsewhere) {
  HttpResponse response = page("chat");
  add_safe_headers(response);
  const auto policy = std::ranges::find(response.headers, "Content-Security-Policy",
                                        &std::pair<std::string, std::string>::first);
  ASSERT_NE(policy, response.headers.end());
  EXPECT_TRUE(policy->second.starts_with("default-src 'self';"));
}

}  // namespace
}  // namespace vkgpt::serve
