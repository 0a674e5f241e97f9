#include "vkgpt/ops/embedding.hpp"

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

}  // namespace
}  // namespace vkgpt::ops
