#include "vkgpt/ops/attention/qk_norm.hpp"

#include <optional>
#include <utility>

#include <gtest/gtest.h>

#include "vkgpt/core/check.hpp"

namespace vkgpt::ops {
namespace {

TEST(QkNorm, AFrozenWeightCostsNothing) {
  plan::PlanBuilder builder{vk::DeviceCaps{}};
  builder.begin_segment("op");
  const auto tensor = [&](std::string_view name, Shape shape) {
    return builder.persistent(name, std::move(shape), plan::Role::kActivations);
  };
  const auto backward = [&](std::optional<plan::Tensor> dk_weight) {
    qk_norm_backward(builder, {.dout = tensor("dout", {2, 8, 128}),
                               .qkv = tensor("qkv", {2, 8, 128}),
                               .q_weight = tensor("q_weight", {16}),
                               .k_weight = tensor("k_weight", {16}),
                               .rstd = tensor("rstd", {2, 8, 6}),
                               .dqkv = tensor("dqkv", {2, 8, 128}),
                               .dk_weight = std::move(dk_weight),
                               .n_head = 4,
                               .n_kv_head = 2});
  };
  backward({});
  backward(tensor("dk_weight", {16}));
  EXPECT_THROW(backward(tensor("long", {32})), CheckFailure);
  const plan::Plan plan = std::move(builder).finish();
  EXPECT_EQ(plan.segments[0].dispatches.size(), 1U + 3U);
}

}  // namespace
}  // namespace vkgpt::ops
