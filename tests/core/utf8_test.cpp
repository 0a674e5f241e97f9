#include "vkgpt/core/utf8.hpp"

#include <gtest/gtest.h>

namespace vkgpt {
namespace {

TEST(Utf8, DecodesAndEncodesEveryLength) {
  for (const char32_t c : {U'\0', U'a', U'\x7f', U'\x80', U'\x7ff', U'\x800', U'\xd7ff', U'\xe000', U'\xffff',
                           U'\x10000', U'\x10ffff'}) {
    std::string text;
    append_utf8(text, c);
    const Utf8Char decoded = decode_utf8(text, 0);
    EXPECT_EQ(decoded.length, text.size());
    EXPECT_EQ(decoded.code_point, c);
    EXPECT_EQ(find_invalid_utf8(text), std::string_view::npos);
  }
}

TEST(Utf8, FindsTheFirstInvalidByte) {
  // Overlong, surrogate, beyond U+10FFFF, lone continuation, cut off, impossible lead.
  for (const std::string_view bad :
       {"\xc0\xaf", "\xe0\x80\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\x80", "\xe2\x82", "\xff"}) {
    EXPECT_EQ(find_invalid_utf8("ok\xc3\xa9" + std::string(bad)), 4U) << printable(bad);
  }
}

TEST(Utf8, HoldsBackOnlyWhatMayStillBecomeACharacter) {
  EXPECT_EQ(complete_utf8_prefix(""), 0U);
  EXPECT_EQ(complete_utf8_prefix("abc"), 3U);
  EXPECT_EQ(complete_utf8_prefix("a\xe2"), 1U);
  EXPECT_EQ(complete_utf8_prefix("a\xe2\x82"), 1U);
  EXPECT_EQ(complete_utf8_prefix("a\xe2\x82\xac"), 4U);
  EXPECT_EQ(complete_utf8_prefix("a\xf0\x9f\x98"), 1U);
  EXPECT_EQ(complete_utf8_prefix("a\xff"), 2U);
  EXPECT_EQ(complete_utf8_prefix("\xed\xa0"), 2U);  // a surrogate never becomes valid
}

TEST(Utf8, ReplacesInvalidRuns) {
  EXPECT_EQ(replace_invalid_utf8("a\xe2\x82z\xff"), "a\xef\xbf\xbdz\xef\xbf\xbd");
  EXPECT_EQ(replace_invalid_utf8("gr\xc3\xbc\xc3\x9f"), "gr\xc3\xbc\xc3\x9f");
}

TEST(Utf8, PrintsOnOneLine) {
  EXPECT_EQ(printable("a\nb\xff\x1b[0m\xc3\xa9"), "a\\x0ab\\xff\\x1b[0m\xc3\xa9");
  EXPECT_EQ(printable("\xe2\x80\xa8"), "\\xe2\\x80\\xa8");
  EXPECT_EQ(printable("a\xe2\x80\xae"
                      "b"),
            "a\\xe2\\x80\\xae"
            "b")
      << "right-to-left override";
  EXPECT_EQ(printable("abcdef", 3), "abc...");
  EXPECT_EQ(printable_lines("a\n\tb\x1b"), "a\n\tb\\x1b");
}

}  // namespace
}  // namespace vkgpt
