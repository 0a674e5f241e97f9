#include "support/source_reader.hpp"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace vkgpt::test {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(SourceReader, LeavesCommentsLiteralsAndDirectivesOut) {
  EXPECT_EQ(code_only("a; // {\nb; /* {\n */ c;"), "a; \nb; \n c;");
  EXPECT_EQ(code_only("x = \"{\\\"\" + '{' + 1'000;"), "x = \"\" + '' + 1'000;");
  EXPECT_EQ(code_only("#define A { \\\n  {\nb;"), "\n\nb;");
  EXPECT_EQ(code_only("s = R\"x(\n)\" {)x\";"), "s = \"\"\n;");
}

TEST(SourceReader, ReadsQuotedIncludes) {
  EXPECT_THAT(quoted_includes("#include <map>\n#include \"a/b.hpp\"\n// #include \"no\"\n"),
              ElementsAre("a/b.hpp"));
}

TEST(SourceReader, FindsFunctionsByTheirBraces) {
  const auto found = functions(R"(namespace n {
const int kTable[] = {
    1,
};
const auto kMade = [] {
  return 1;
}();
struct S {
  S() : a_{1}, b_(2) {
    if (a_) {
    }
  }
  bool operator==(const S&) const = default;
  int f(int x = {}) const noexcept { return x; }
  int a_{}, b_ = {};
};
template <typename T = int>
T g(T x)
  requires true
{
  return x;
}
}
)");
  ASSERT_EQ(found.size(), 4u);
  EXPECT_EQ(found[0].lines, 3);
  EXPECT_EQ(found[1].line, 9);
  EXPECT_EQ(found[1].lines, 4);
  EXPECT_EQ(found[2].lines, 1);
  EXPECT_EQ(found[3].lines, 3);
  EXPECT_EQ(found[3].head, "  requires true");
}

TEST(SourceReader, FindsCircles) {
  EXPECT_THAT(circles({{"a", {"b"}}, {"b", {"c", "gone"}}, {"c", {}}}), IsEmpty());
  EXPECT_THAT(circles({{"a", {"b"}}, {"b", {"c"}}, {"c", {"a"}}, {"d", {"a", "e"}}, {"e", {"d"}}}),
              ElementsAre(std::set<std::string>{"a", "b", "c"}, std::set<std::string>{"d", "e"}));
}

}  // namespace
}  // namespace vkgpt::test
