#include "vkgpt/ops/embedding.hpp"

#include <cstdint>
#include <vector>

#include <gtest/gtest.h>

#include "vkgpt/core/check.hpp"

namespace vkgpt::ops {
namespace {

TEST(Embedding, RefusesATableThatIsTooShort) {
  plan::PlanBuilder builder{vk::DeviceCaps{}};
  builder.begin_segment("op");
  const auto make = [&](const char* name, const Shape& shape, DType dtype = DType::kF32) {
    return builder.persistent(name, shape, plan::Role::kActivations, dtype);
  };
  const EmbeddingForward args{.tokens = make("tokens", {2, 9}, DType::kI32),
                              .wte = make("wte", {64, 8}),
                              .wpe = make("wpe", {8, 8}),
                              .x = make("x", {2, 9, 8})};
  EXPECT_THROW(embedding_forward(builder, args), CheckFailure);
}

TEST(Embedding, OrdersPositionsByTokenWithinEachSlice) {
  vk::DeviceCaps caps;
  const std::vector<std::int32_t> tokens = {3, 1, 3, -1, 0, 1};
  EXPECT_EQ(embedding_order(caps, tokens, 8, DType::kF32, 5),
            (std::vector<std::uint32_t>{4, 1, 5, 0, 2, 3, 0, 1, 1, 3, 3, 4}));
  caps.max_storage_buffer_range = std::uint64_t{64} * 8 * sizeof(float);  // 64 rows at once
  std::vector<std::int32_t> many(100);
  for (std::size_t i = 0; i < many.size(); ++i) many[i] = static_cast<std::int32_t>(99 - i);
  const std::vector<std::uint32_t> order = embedding_order(caps, many, 8, DType::kF32, 100);
  EXPECT_EQ(order[0], 63U);
  EXPECT_EQ(order[64], 36U) << "the least token of the first slice";
  EXPECT_EQ(order[128], 35U) << "positions count from the slice's first";
  EXPECT_EQ(order[128 + 36], 0U);
}

}  // namespace
}  // namespace vkgpt::ops
