#include "vkgpt/core/status_line.hpp"

#include <gtest/gtest.h>

namespace vkgpt {
namespace {

TEST(StatusLine, WritesNothingWhereStderrIsNoTerminal) {
  testing::internal::CaptureStderr();
  {
    StatusLine line;
    EXPECT_FALSE(line.due());
    line.show(0.5, "half");
    line.clear();
  }
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
}

}  // namespace
}  // namespace vkgpt
