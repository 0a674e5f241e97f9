#include "vkgpt/core/units.hpp"

#include <gtest/gtest.h>

namespace vkgpt {
namespace {

TEST(Units, FormatsBytesWithAtMostOneDecimal) {
  EXPECT_EQ(format_bytes(0), "0 B");
  EXPECT_EQ(format_bytes(1023), "1023 B");
  EXPECT_EQ(format_bytes(12800), "12.5 KiB");
  EXPECT_EQ(format_bytes(32768), "32 KiB");
  EXPECT_EQ(format_bytes(412'400'000), "393 MiB");
  EXPECT_EQ(format_bytes(std::uint64_t{1} << 40), "1 TiB");
}

}  // namespace
}  // namespace vkgpt
