#include "vkgpt/ops/row_select.hpp"

#include <vector>

#include <gtest/gtest.h>

#include "vkgpt/core/check.hpp"

#include "ops/element_types.hpp"
#include "ops/op_runner.hpp"

namespace vkgpt::ops {
namespace {

class GpuRowSelect : public test::ElementTypeTest {};

TEST_P(GpuRowSelect, TakesTheLastRealRowOfEverySequence) {
  const DType dtype = GetParam();
  constexpr std::size_t B = 3, T = 9, C = 101;
  const std::vector<float> x = test::rounded(reference::random_floats(B * T * C, 1), dtype);
  for (const test::CapsVariant& variant : test::caps_variants_folded(1 << 20)) {
    test::OpRunner runner(variant.caps);
    const plan::Tensor tx = runner.input({B, T, C}, x, dtype), ty = runner.output({B, C}, dtype);
    row_select_forward(runner.builder(), tx, ty);
    for (const std::uint32_t tokens : {1U, 4U, 9U}) {
      SCOPED_TRACE(testing::Message() << variant.name << ", " << tokens << " tokens");
      StepParams step;
      step.token_count = tokens;
      runner.run(step);
      std::vector<float> expected;
      for (std::size_t b = 0; b < B; ++b) {
        const auto row = x.begin() + static_cast<std::ptrdiff_t>((b * T + tokens - 1) * C);
        expected.insert(expected.end(), row, row + C);
      }
      EXPECT_EQ(runner.floats(ty), expected);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Gpu, GpuRowSelect, test::kElementTypes, test::element_type_name);

TEST(RowSelect, RefusesAnotherShapeOrType) {
  vk::DeviceCaps caps;
  caps.storage_16bit = true;
  plan::PlanBuilder builder{caps};
  builder.begin_segment("op");
  const auto make = [&](const char* name, const Shape& shape, DType dtype = DType::kF32) {
    return builder.persistent(name, shape, plan::Role::kActivations, dtype);
  };
  const plan::Tensor x = make("x", {2, 3, 4});
  EXPECT_NO_THROW(row_select_forward(builder, x, make("y", {2, 4})));
  EXPECT_THROW(row_select_forward(builder, x, make("narrow", {2, 3})), CheckFailure);
  EXPECT_THROW(row_select_forward(builder, x, make("half", {2, 4}, DType::kF16)), CheckFailure);
}

}  // namespace
}  // namespace vkgpt::ops
