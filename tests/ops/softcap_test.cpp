#include "vkgpt/ops/softcap.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include <gtest/gtest.h>

#include "vkgpt/core/check.hpp"

#include "ops/element_types.hpp"
#include "ops/op_runner.hpp"
#include "reference/compare.hpp"
#include "reference/softcap.hpp"

namespace vkgpt::ops {
namespace {

class GpuSoftcap : public test::ElementTypeTest {};

TEST_P(GpuSoftcap, MatchesTheReference) {
  const DType dtype = GetParam();
  constexpr double kCap = 30;
  for (const test::CapsVariant& variant : test::caps_variants_folded(4096)) {
    for (const std::int64_t n : {1, 65, 4099}) {
      for (const float scale : {0.01F, 200.0F}) {
        SCOPED_TRACE(testing::Message() << variant.name << ", " << n << " up to " << scale);
        const std::vector<float> x =
            test::rounded(reference::random_floats(static_cast<std::size_t>(n), 1, scale), dtype);
        test::OpRunner runner(variant.caps);
        const plan::Tensor tx = runner.input({n}, x, dtype);
        const plan::Tensor ty = runner.output({n}), tz = runner.output({n}, dtype);
        softcap_forward(runner.builder(), tx, ty, kCap);
        softcap_forward(runner.builder(), tx, tz, kCap);
        runner.run();
        const reference::Vector expected = reference::softcap_forward(reference::to_double(x), kCap);
        reference::expect_close(runner.floats(ty), expected);
        reference::expect_close(runner.floats(tz), expected, test::rounded_nmse(dtype));
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Gpu, GpuSoftcap, test::kElementTypes, test::element_type_name);

TEST(GpuSoftcapLimits, IsGoodToFp32FromTinyToHuge) {
  std::vector<float> x{0.0F, 3e38F, 1e10F};
  for (float value = 1e-30F; value < 1e4F; value *= 1.07F) x.push_back(value);
  const std::size_t positive = x.size();
  for (std::size_t i = 0; i < positive; ++i) x.push_back(-x[i]);
  const Shape shape{static_cast<std::int64_t>(x.size())};
  test::OpRunner runner;
  const plan::Tensor tx = runner.input(shape, x), ty = runner.output(shape);
  softcap_forward(runner.builder(), tx, ty, 50);
  runner.run();
  const std::vector<float> y = runner.floats(ty);
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double expected = 50 * std::tanh(double{x[i]} / 50);
    EXPECT_NEAR(y[i], expected, 5e-7 * std::abs(expected)) << x[i];
  }
}

TEST(Softcap, RefusesACapThatIsNone) {
  plan::PlanBuilder builder{vk::DeviceCaps{}};
  builder.begin_segment("op");
  const plan::Tensor x = builder.persistent("x", {4}, plan::Role::kActivations);
  const plan::Tensor y = builder.persistent("y", {4}, plan::Role::kActivations);
  EXPECT_THROW(softcap_forward(builder, x, y, 0), CheckFailure);
}

}  // namespace
}  // namespace vkgpt::ops
