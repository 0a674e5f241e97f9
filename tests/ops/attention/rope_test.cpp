#include "vkgpt/ops/attention/rope.hpp"

#include <string>

#include <gtest/gtest.h>

#include "vkgpt/core/check.hpp"

namespace vkgpt::ops {
namespace {

TEST(Rope, RefusesWhatDoesNotFit) {
  plan::PlanBuilder builder{vk::DeviceCaps{}};
  builder.begin_segment("op");
  const plan::Tensor table = rope_table(builder, 8, 16, {});
  EXPECT_EQ(table.shape, (Shape{8, 8, 2}));
  const auto forward = [&](Shape qkv, DType dtype, std::int64_t n_head, std::int64_t n_kv_head) {
    const plan::Tensor tensor = builder.persistent("qkv" + qkv.to_string() + std::string(dtype_name(dtype)),
                                                   qkv, plan::Role::kActivations, dtype);
    rope_forward(builder, {.qkv = tensor, .table = table, .n_head = n_head, .n_kv_head = n_kv_head});
  };
  EXPECT_NO_THROW(forward({2, 8, 128}, DType::kF32, 4, 2));
  EXPECT_THROW(forward({2, 9, 128}, DType::kF32, 4, 2), CheckFailure);   // the table is too short
  EXPECT_THROW(forward({2, 8, 192}, DType::kF32, 4, 1), CheckFailure);   // heads of 32
  EXPECT_THROW(forward({2, 8, 144}, DType::kF32, 3, 2), CheckFailure);   // 2 does not divide 3
  EXPECT_THROW(forward({16, 128}, DType::kF32, 4, 2), CheckFailure);     // positions unknown
  EXPECT_THROW(forward({2, 8, 128}, DType::kBF16, 4, 2), CheckFailure);  // no 16-bit storage
}

}  // namespace
}  // namespace vkgpt::ops
