#include "vkgpt/core/message.hpp"

#include <string>

#include <gtest/gtest.h>

#include "vkgpt/core/log.hpp"
#include "vkgpt/core/utf8.hpp"

namespace vkgpt {
namespace {

TEST(MessageLine, EscapesWhatATerminalWouldObey) {
  EXPECT_EQ(message_line("a\x1b[31m\n\xe2\x80\xae\xffz"), "a\\x1b[31m\\x0a\\xe2\\x80\\xae\\xffz");
  EXPECT_EQ(message_line("naïve"), "naïve");
}

TEST(MessageLine, ALogLineIsOneLine) {
  testing::internal::CaptureStderr();
  log_info("saved {}", "a\nb\x1b");
  log_text("one\ntwo\x1b");
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "saved a\\x0ab\\x1b\none\ntwo\\x1b\n");
}

TEST(MessageLine, KeepsBothEndsOfALongOne) {
  const std::string value(100000, 'a');
  const std::string line = message_line("--flag = '" + value + "': expected an integer");
  EXPECT_LT(line.size(), 800U);
  EXPECT_TRUE(line.starts_with("--flag = 'aaa"));
  EXPECT_TRUE(line.ends_with("aaa': expected an integer"));
  std::string wide;
  for (int i = 0; i < 1000; ++i) wide += "é";
  for (int shift = 0; shift < 2; ++shift) {
    const std::string cut = message_line(std::string(static_cast<std::size_t>(shift), 'x') + wide);
    EXPECT_EQ(find_invalid_utf8(cut), std::string::npos);
    EXPECT_LT(cut.size(), 800U);
  }
}

}  // namespace
}  // namespace vkgpt
