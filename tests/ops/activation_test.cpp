#include "vkgpt/ops/activation.hpp"

#include <cmath>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "vkgpt/core/check.hpp"

#include "ops/element_types.hpp"
#include "ops/op_runner.hpp"
#include "reference/activation.hpp"
#include "reference/compare.hpp"

namespace vkgpt::ops {
namespace {

using reference::expect_close;
using reference::random_floats;
using reference::to_double;
using test::OpRunner;

struct Function {
  const char* name;
  Activation kind;
  reference::Vector (*forward)(reference::View x);
  reference::Vector (*backward)(reference::View dout, reference::View x);
};

constexpr Function kFunctions[] = {
    {"gelu", Activation::kGelu, reference::gelu_forward, reference::gelu_backward},
    {"gelu_erf", Activation::kGeluErf, reference::gelu_erf_forward, reference::gelu_erf_backward},
    {"relu_squared", Activation::kReluSquared, reference::relu_squared_forward,
     reference::relu_squared_backward}};

class GpuActivation : public test::ElementTypeTest {};

TEST_P(GpuActivation, ForwardAndBackwardMatchTheReference) {
  const DType dtype = GetParam();
  const double bound = test::rounded_nmse(dtype);
  for (const test::CapsVariant& variant : test::caps_variants_folded(4096)) {
    for (const std::int64_t n : {1, 3, 64, 1000, 4099}) {
      const auto count = static_cast<std::size_t>(n);
      const std::vector<float> x = test::rounded(random_floats(count, 1, 6.0F), dtype);
      const std::vector<float> dy = test::rounded(random_floats(count, 2, 3.0F), dtype);
      OpRunner runner(variant.caps);
      const plan::Tensor tx = runner.input({n}, x, dtype), tdy = runner.input({n}, dy, dtype);
      std::vector<plan::Tensor> ty, tdx;
      for (const Function& function : kFunctions) {
        ty.push_back(runner.output({n}, dtype));
        tdx.push_back(runner.output({n}, dtype));
        activation_forward(runner.builder(), function.kind, tx, ty.back());
        activation_backward(runner.builder(), function.kind, tdy, tx, tdx.back());
      }
      runner.run();
      for (std::size_t f = 0; f < std::size(kFunctions); ++f) {
        SCOPED_TRACE(testing::Message() << variant.name << ", " << n << ", " << kFunctions[f].name);
        expect_close(runner.floats(ty[f]), kFunctions[f].forward(to_double(x)), bound);
        expect_close(runner.floats(tdx[f]), kFunctions[f].backward(to_double(dy), to_double(x)), bound);
      }
    }
  }
}

struct SwigluSize {
  std::int64_t rows, F;
};

TEST_P(GpuActivation, SwigluMatchesTheReference) {
  const DType dtype = GetParam();
  const double bound = test::rounded_nmse(dtype);
  for (const SwigluSize& size : {SwigluSize{1, 1}, {5, 3}, {130, 64}, {131, 100}, {3, 1025}}) {
    const auto rows = static_cast<std::size_t>(size.rows), F = static_cast<std::size_t>(size.F);
    const std::vector<float> x = test::rounded(random_floats(rows * 2 * F, 1, 6.0F), dtype);
    const std::vector<float> dy = test::rounded(random_floats(rows * F, 2, 3.0F), dtype);
    const std::uint64_t sliced = 128 * 2 * F * dtype_size(dtype);
    for (const test::CapsVariant& variant : test::caps_variants_folded(sliced)) {
      SCOPED_TRACE(testing::Message() << variant.name << ", " << rows << " rows of " << F);
      OpRunner runner(variant.caps);
      const plan::Tensor tx = runner.input({1, size.rows, 2 * size.F}, x, dtype);
      const plan::Tensor tdy = runner.input({1, size.rows, size.F}, dy, dtype);
      const plan::Tensor ty = runner.output({1, size.rows, size.F}, dtype);
      const plan::Tensor tdx = runner.output({1, size.rows, 2 * size.F}, dtype);
      swiglu_forward(runner.builder(), tx, ty);
      swiglu_backward(runner.builder(), tdy, tx, tdx);
      runner.run();
      expect_close(runner.floats(ty), reference::swiglu_forward(to_double(x), rows, F), bound);
      expect_close(runner.floats(tdx), reference::swiglu_backward(to_double(dy), to_double(x), rows, F),
                   bound);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Gpu, GpuActivation, test::kElementTypes, test::element_type_name);

TEST(GpuActivationLimits, LargeInputsNeitherOverflowNorCancel) {
  const std::vector<float> x{-3e38F, -1e13F, -1e4F, -100, -12, -6,    -3,   -1e-20F,
                             0,      1e-20F, 6,     12,   100, 1e13F, 3e38F};
  const std::vector<float> dy(x.size(), 1.0F);
  const Shape shape{static_cast<std::int64_t>(x.size())};
  for (const Function& function : {kFunctions[0], kFunctions[1]}) {
    OpRunner runner;
    const plan::Tensor tx = runner.input(shape, x), tdy = runner.input(shape, dy);
    const plan::Tensor ty = runner.output(shape), tdx = runner.output(shape);
    activation_forward(runner.builder(), function.kind, tx, ty);
    activation_backward(runner.builder(), function.kind, tdy, tx, tdx);
    runner.run();
    const std::vector<float> y = runner.floats(ty), dx = runner.floats(tdx);
    for (std::size_t i = 0; i < x.size(); ++i) {
      SCOPED_TRACE(testing::Message() << function.name << " of " << x[i]);
      const double v = x[i];
      // Far out the reference's cube overflows even a double; the limits are exact there.
      const bool far = std::abs(v) > 1e3;
      const double expected_y = far ? std::max(v, 0.0) : function.forward({{v}})[0];
      const double expected_dx = far ? (v > 0 ? 1.0 : 0.0) : function.backward({{1.0}}, {{v}})[0];
      EXPECT_NEAR(y[i], expected_y, 1e-5 * std::abs(expected_y) + 1e-7);
      EXPECT_NEAR(dx[i], expected_dx, 1e-5 * std::abs(expected_dx) + 1e-7);
    }
  }
}

TEST(GpuActivationLimits, SwigluSaturates) {
  const std::vector<float> x{-3e38F, -100, -1e-20F, 0, 100, 1e20F, 0.5F, 2, 3, 4, 5, 6};
  const std::vector<float> dy(6, 1.0F);
  OpRunner runner;
  const plan::Tensor tx = runner.input({1, 12}, x), tdy = runner.input({1, 6}, dy);
  const plan::Tensor ty = runner.output({1, 6}), tdx = runner.output({1, 12});
  swiglu_forward(runner.builder(), tx, ty);
  swiglu_backward(runner.builder(), tdy, tx, tdx);
  runner.run();
  expect_close(runner.floats(ty), std::vector<double>{0, 0, -1.5e-20, 0, 500, 6e20});
  expect_close(runner.floats(tdx), std::vector<double>{0, 0, 1.5, 2, 5, 6, 0, 0, -0.5e-20, 0, 100, 1e20});
}

// The polynomial of Phi as fine as it is claimed to be, where x does not hide its error.
TEST(GpuActivationLimits, GeluErfIsGoodToFp32) {
  std::vector<float> x(20001);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = (static_cast<float>(i) - 10000.0F) / 1000.0F;
  const Shape shape{static_cast<std::int64_t>(x.size())};
  OpRunner runner;
  const plan::Tensor tx = runner.input(shape, x), ty = runner.output(shape);
  activation_forward(runner.builder(), Activation::kGeluErf, tx, ty);
  runner.run();
  const reference::Vector expected = reference::gelu_erf_forward(to_double(x));
  const std::vector<float> y = runner.floats(ty);
  for (std::size_t i = 0; i < x.size(); ++i) {
    EXPECT_NEAR(y[i], expected[i], 2.5e-7 * std::abs(x[i])) << x[i];  // Phi's error and the rounding of y
    if (x[i] > -5 && x[i] < 0) {
      EXPECT_NEAR(y[i] / expected[i], 1.0, 2e-6) << x[i];
    }
  }
}

TEST(Activation, RefusesWhatDoesNotFit) {
  vk::DeviceCaps caps;
  caps.storage_16bit = true;
  plan::PlanBuilder builder{caps};
  builder.begin_segment("op");
  const auto make = [&](const char* name, const Shape& shape, DType dtype = DType::kF32) {
    return builder.persistent(name, shape, plan::Role::kActivations, dtype);
  };
  const plan::Tensor x = make("x", {4}), y = make("y", {5}), half = make("half", {4}, DType::kF16);
  EXPECT_THROW(activation_forward(builder, Activation::kGelu, x, y), CheckFailure);
  EXPECT_THROW(activation_forward(builder, Activation::kGelu, x, half), CheckFailure);
  const plan::Tensor wide = make("wide", {3, 8}), narrow = make("narrow", {3, 4});
  EXPECT_NO_THROW(swiglu_forward(builder, wide, narrow));
  EXPECT_THROW(swiglu_forward(builder, narrow, wide), CheckFailure);
  EXPECT_THROW(swiglu_forward(builder, wide, make("three", {3, 3})), CheckFailure);
}

TEST(Activation, RefusesADeviceWithout16BitStorage) {
  plan::PlanBuilder builder{vk::DeviceCaps{}};
  builder.begin_segment("op");
  const plan::Tensor x = builder.persistent("x", {4}, plan::Role::kActivations, DType::kBF16);
  const plan::Tensor y = builder.persistent("y", {4}, plan::Role::kActivations, DType::kBF16);
  EXPECT_THROW(activation_forward(builder, Activation::kGelu, x, y), CheckFailure);
}

}  // namespace
}  // namespace vkgpt::ops
