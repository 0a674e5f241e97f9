#include "cli/docs/markdown.hpp"

#include <string>

#include <gtest/gtest.h>

namespace vkgpt::cli {
namespace {

std::string plain(std::string_view page, std::size_t width = 40) {
  return render_markdown(page, {.colored = false, .width = width});
}

std::string colored(std::string_view page) {
  return render_markdown(page, {.colored = true, .width = 40});
}

TEST(Markdown, HeadingsAreBold) {
  EXPECT_EQ(colored("# One two\n## Three\n"), "\x1b[1mOne\x1b[0m \x1b[1mtwo\x1b[0m\n\x1b[1mThree\x1b[0m\n");
  EXPECT_EQ(plain("# One two\n"), "One two\n");
}

TEST(Markdown, CodeStaysAsItIs) {
  EXPECT_EQ(colored("```cpp\na  *b*  [c](d)   # x\n\n| y |\n```\n"), "  a  *b*  [c](d)   # x\n  \n  | y |\n");
  EXPECT_EQ(colored("a `x *y*` b\n"), "a \x1b[36mx\x1b[0m \x1b[36m*y*\x1b[0m b\n");
  EXPECT_EQ(plain("a `x *y*` b\n"), "a `x *y*` b\n");
}

TEST(Markdown, EmphasisAndLinksKeepTheirText) {
  EXPECT_EQ(plain("*one two* **three** [four](docs/five.md), a * b * c, [i] and 2*x\n"),
            "one two three four, a * b * c, [i] and\n2*x\n");
  EXPECT_EQ(colored("**a `b`** *c*\n"), "\x1b[1ma\x1b[0m \x1b[1m\x1b[36mb\x1b[0m \x1b[3mc\x1b[0m\n");
}

TEST(Markdown, ParagraphsAndListsAreFilled) {
  EXPECT_EQ(plain("one two\nthree four\n\n- five six\n  seven\n- eight\n12. nine ten\n", 14),
            "one two three\nfour\n\n- five six\n  seven\n- eight\n12. nine ten\n");
  EXPECT_EQ(plain("- five six seven eight\n", 12), "- five six\n  seven\n  eight\n");
  EXPECT_EQ(plain("averyveryverylongword b\n", 8), "averyveryverylongword\nb\n");
  EXPECT_EQ(plain("ααα βββ γγγ\n", 7), "ααα βββ\nγγγ\n");  // characters count, not bytes
}

TEST(Markdown, TablesAreAlignedWhereTheyFit) {
  EXPECT_EQ(plain("| a | long |\n|---|---|\n| `x\\|y` | 2 |\n| zz | |\n\nend\n"),
            "a      long\n`x|y`  2\nzz\n\nend\n");
}

TEST(Markdown, TablesThatAreTooWideBecomeRecords) {
  EXPECT_EQ(
      plain("| tried | measured | |\n|---|---|---|\n| one | two three four | five |\n| six | | |\n", 16),
      "one\n  measured: two\n    three four\n  five\n\nsix\n");
}

TEST(Markdown, BrokenPagesEndInTextAllTheSame) {
  EXPECT_EQ(plain("```\nopen\n"), "  open\n");
  EXPECT_EQ(plain("a `b\n"), "a `b\n");
  EXPECT_EQ(plain("[a](b\n"), "a\n");
  EXPECT_EQ(plain("|\n"), "");
  EXPECT_EQ(plain("| a\n"), "\n");
  EXPECT_EQ(plain(""), "");
}

}  // namespace
}  // namespace vkgpt::cli
