#include "vkgpt/core/status_line.hpp"

#include <string>

#include <gtest/gtest.h>

namespace vkgpt {
namespace {

/// What a line writes that shows `text` at half of the work twice, and is gone then.
std::string written(bool live, bool color, int width, std::string_view text) {
  testing::internal::CaptureStderr();
  {
    StatusLine line(live, color, width);
    line.show(0.5, text);
    line.show(0.6, text);  // too soon: not drawn
  }
  return testing::internal::GetCapturedStderr();
}

TEST(StatusLine, WritesNothingWhereStderrIsNoTerminal) {
  testing::internal::CaptureStderr();
  {
    StatusLine line;
    EXPECT_FALSE(line.due());
    line.show(0.5, "half");
    line.clear();
  }
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
  EXPECT_EQ(written(false, true, 80, "half"), "");
}

TEST(StatusLine, DrawsOverItselfAndLeavesNothing) {
  EXPECT_EQ(written(true, false, 80, "half"), "\r\x1b[K[######......] half\r\x1b[K");
  EXPECT_EQ(written(true, false, 19, "half"), "\r\x1b[K[######......] hal\r\x1b[K")
      << "the last column is free";
  EXPECT_EQ(written(true, false, 16, "half"), "");
}

TEST(StatusLine, ColoursOnlyWhenAsked) {
  EXPECT_NE(written(true, true, 80, "half").find("\x1b[32m"), std::string::npos);
  EXPECT_EQ(written(true, false, 80, "half").find("\x1b[3"), std::string::npos);
}

}  // namespace
}  // namespace vkgpt
