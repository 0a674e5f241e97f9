#include "vkgpt/plan/dispatch.hpp"

#include <cstdint>
#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "vkgpt/core/check.hpp"
#include "vkgpt/plan/limits.hpp"

namespace vkgpt::plan {
namespace {

using testing::ElementsAre;

enum class Mode { kFast = 2 };

TEST(Macros, TakeNumbersFlagsAndTypes) {
  const Macros macros = Macros{}
                            .value("N", std::int64_t{1} << 40)
                            .value("WIDE", true)
                            .value("MODE", Mode::kFast)
                            .flag("SET")
                            .flag("UNSET", false)
                            .dtype("DTYPE", DType::kBF16)
                            .text("WORD", "uvec4")
                            .append(Macros{}.value("LAST", -1));
  EXPECT_THAT(macros, ElementsAre(vk::Macro{"N", "1099511627776"}, vk::Macro{"WIDE", "1"},
                                  vk::Macro{"MODE", "2"}, vk::Macro{"SET", "1"}, vk::Macro{"DTYPE", "2"},
                                  vk::Macro{"WORD", "uvec4"}, vk::Macro{"LAST", "-1"}));
}

TEST(Macros, KnowOnlyTheTypesOfKernels) {
  EXPECT_THROW(Macros{}.dtype("DTYPE", DType::kU32), CheckFailure);
}

TEST(PushWords, KeepTheOrderAndTheBits) {
  const std::vector<std::uint32_t> words =
      PushWords{}.u32(std::int64_t{7}, std::numeric_limits<std::uint32_t>::max()).f32(1.0, 0.5F).u32(3);
  EXPECT_THAT(words, ElementsAre(7, 0xffffffffU, 0x3f800000U, 0x3f000000U, 3));
}

TEST(PushWords, RefuseWhatDoesNotFit32Bits) {
  EXPECT_THROW(PushWords{}.u32(-1), CheckFailure);
  EXPECT_THROW(PushWords{}.u32(std::int64_t{1} << 32), TooLarge);
  EXPECT_THROW(PushWords{}.u32(std::numeric_limits<std::uint64_t>::max()), CheckFailure);
}

}  // namespace
}  // namespace vkgpt::plan
