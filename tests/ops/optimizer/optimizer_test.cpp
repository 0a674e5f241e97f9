#include "vkgpt/ops/optimizer/optimizer.hpp"

#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "vkgpt/core/check.hpp"

namespace vkgpt::ops {
namespace {

TEST(Optimizer, DecayBitsMarkBlocksOf64) {
  const std::vector<Slice> decayed{{0, 65}, {64 * 33, 10}};
  const std::vector<std::uint32_t> bits = make_decay_bits(64 * 40, decayed);
  ASSERT_EQ(bits.size(), 2U);
  EXPECT_EQ(bits[0], 3U);
  EXPECT_EQ(bits[1], 2U);
  EXPECT_THROW(make_decay_bits(640, std::vector<Slice>{{3, 10}}), CheckFailure);
  EXPECT_THROW(make_decay_bits(640, std::vector<Slice>{{64, 577}}), CheckFailure);
}

/// Masks are counted in bits: an arena may hold more elements than 32 bits count.
TEST(Optimizer, UpdatesArenasBeyond32Bits) {
  constexpr std::int64_t kBeyond = 3LL << 32;
  vk::DeviceCaps caps;
  caps.max_storage_buffer_range = 0xffffffff;
  plan::PlanBuilder builder(caps);
  builder.begin_segment("op");
  const auto arena = [&](const char* name) {
    return builder.persistent(name, {kBeyond}, plan::Role::kParameters);
  };
  const OptimizerArenas arenas{
      .weights = arena("w"),
      .gradients = arena("g"),
      .m = arena("m"),
      .v = arena("v"),
      .decay = builder.persistent("decay", {kBeyond / 2048}, plan::Role::kParameters, DType::kU32),
      .norm = builder.persistent("norm", {4}, plan::Role::kParameters, DType::kU32)};
  optimizer_adamw(builder, arenas, {});
  const plan::Plan plan = std::move(builder).finish();
  std::int64_t next = 0;
  for (const plan::Dispatch& dispatch : plan.segment("op").dispatches) {
    EXPECT_EQ(dispatch.push.at(1), static_cast<std::uint32_t>(next / 64));
    next += dispatch.push.at(0);
  }
  EXPECT_EQ(next, kBeyond);
}

}  // namespace
}  // namespace vkgpt::ops
