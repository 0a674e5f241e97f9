#include "vkgpt/ops/activation.hpp"

#include <cmath>
#include <vector>

#include <gtest/gtest.h>

#include "vkgpt/core/check.hpp"

#include "gpu_context.hpp"
#include "ops/op_runner.hpp"
#include "reference/compare.hpp"
#include "reference/matmul.hpp"

namespace vkgpt::ops {
namespace {

using test::OpRunner;

TEST(GpuActivation, ForwardAndBackwardMatchTheReference) {
  for (const test::CapsVariant& variant : test::caps_variants_folded(4096)) {
    for (const std::int64_t n : {1, 3, 64, 1000, 4099}) {
      SCOPED_TRACE(testing::Message() << variant.name << ", " << n << " elements");
      const auto count = static_cast<std::size_t>(n);
      const std::vector<float> x = reference::random_floats(count, 1, 6.0F);
      const std::vector<float> dy = reference::random_floats(count, 2, 3.0F);
      OpRunner runner(variant.caps);
      const plan::Tensor tx = runner.input({n}, x), tdy = runner.input({n}, dy);
      const plan::Tensor ty = runner.output({n}), tdx = runner.output({n});
      activation_forward(runner.builder(), tx, ty);
      activation_backward(runner.builder(), tdy, tx, tdx);
      runner.run();
      reference::expect_close(runner.floats(ty), reference::gelu_forward(reference::to_double(x)));
      reference::expect_close(runner.floats(tdx),
                              reference::gelu_backward(reference::to_double(dy), reference::to_double(x)));
    }
  }
}

TEST(GpuActivation, LargeInputsNeitherOverflowNorCancel) {
  const std::vector<float> x{-3e38F, -1e13F, -1e4F, -100, -12, -6,    -3,   -1e-20F,
                             0,      1e-20F, 6,     12,   100, 1e13F, 3e38F};
  const std::vector<float> dy(x.size(), 1.0F);
  const Shape shape{static_cast<std::int64_t>(x.size())};
  OpRunner runner;
  const plan::Tensor tx = runner.input(shape, x), tdy = runner.input(shape, dy);
  const plan::Tensor ty = runner.output(shape), tdx = runner.output(shape);
  activation_forward(runner.builder(), tx, ty);
  activation_backward(runner.builder(), tdy, tx, tdx);
  runner.run();
  const std::vector<float> y = runner.floats(ty), dx = runner.floats(tdx);
  for (std::size_t i = 0; i < x.size(); ++i) {
    SCOPED_TRACE(x[i]);
    const double v = x[i];
    // Far out the reference's cube overflows even a double; the limits are exact there.
    const bool far = std::abs(v) > 1e3;
    const double expected_y = far ? std::max(v, 0.0) : reference::gelu_forward({{v}})[0];
    const double expected_dx = far ? (v > 0 ? 1.0 : 0.0) : reference::gelu_backward({{1.0}}, {{v}})[0];
    EXPECT_NEAR(y[i], expected_y, 1e-5 * std::abs(expected_y) + 1e-7);
    EXPECT_NEAR(dx[i], expected_dx, 1e-5 * std::abs(expected_dx) + 1e-7);
  }
}

TEST(Activation, RefusesUnequalShapes) {
  plan::PlanBuilder builder{vk::DeviceCaps{}};
  builder.begin_segment("op");
  const plan::Tensor x = builder.persistent("x", {4}, plan::Role::kActivations);
  const plan::Tensor y = builder.persistent("y", {5}, plan::Role::kActivations);
  EXPECT_THROW(activation_forward(builder, x, y), CheckFailure);
}

}  // namespace
}  // namespace vkgpt::ops
