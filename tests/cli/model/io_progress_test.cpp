#include "cli/model/io_progress.hpp"

#include <string>

#include <gtest/gtest.h>

#include "vkgpt/core/file.hpp"

#include "support/temp_directory.hpp"

namespace vkgpt::cli {
namespace {

TEST(IoProgress, CountsWhatThisProcessReadsAndWrites) {
  const TempDirectory directory;
  const std::uint64_t before = transferred_bytes();
  if (before == 0) GTEST_SKIP() << "this system does not count";
  write_file(directory / "a", std::string(100000, 'a'));
  EXPECT_GE(transferred_bytes(), before + 100000);
  static_cast<void>(read_file(directory / "a"));
  EXPECT_GE(transferred_bytes(), before + 200000);
}

TEST(IoProgress, EndsAtOnceAndDrawsNothingOffATerminal) {
  testing::internal::CaptureStderr();
  {
    const IoProgress progress("importing", 1000);
  }
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
}

}  // namespace
}  // namespace vkgpt::cli
