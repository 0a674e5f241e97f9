#include "vkgpt/ops/activation.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "vkgpt/check/definitions.hpp"
#include "vkgpt/check/op_table.hpp"
#include "vkgpt/core/check.hpp"
#include "vkgpt/core/format.hpp"

namespace vkgpt::check {
namespace {

const double kGeluScale = std::sqrt(2.0 / std::numbers::pi);
constexpr double kGeluCubic = 0.044715;

double gelu_inner(double x) {
  return kGeluScale * (x + kGeluCubic * x * x * x);
}

double normal_cdf(double x) {
  return 0.5 * std::erfc(-x / std::numbers::sqrt2);
}

double sigmoid(double x) {
  return 1.0 / (1.0 + std::exp(-x));
}

}  // namespace

Vector gelu_forward(View x) {
  return map(x, [](double v) { return 0.5 * v * (1.0 + std::tanh(gelu_inner(v))); });
}

Vector gelu_backward(View dout, View x) {
  return map(dout, x, [](double d, double v) {
    const double t = std::tanh(gelu_inner(v));
    const double dinner = kGeluScale * (1.0 + 3.0 * kGeluCubic * v * v);
    return d * (0.5 * (1.0 + t) + 0.5 * v * (1.0 - t * t) * dinner);
  });
}

Vector gelu_erf_forward(View x) {
  return map(x, [](double v) { return v * normal_cdf(v); });
}

Vector gelu_erf_backward(View dout, View x) {
  return map(dout, x, [](double d, double v) {
    const double density = std::exp(-0.5 * v * v) / std::sqrt(2.0 * std::numbers::pi);
    return d * (normal_cdf(v) + v * density);
  });
}

Vector relu_squared_forward(View x) {
  return map(x, [](double v) { return std::max(v, 0.0) * std::max(v, 0.0); });
}

Vector relu_squared_backward(View dout, View x) {
  return map(dout, x, [](double d, double v) { return d * 2.0 * std::max(v, 0.0); });
}

namespace {

Vector gated_forward(Vector (*gate)(View), View x, std::size_t rows, std::size_t F) {
  VKGPT_CHECK(x.size() == rows * 2 * F);
  Vector y;
  for (std::size_t row = 0; row < rows; ++row) {
    const Vector gated = gate(x.subspan(row * 2 * F, F));
    for (std::size_t f = 0; f < F; ++f) y.push_back(gated[f] * x[row * 2 * F + F + f]);
  }
  return y;
}

Vector gated_backward(Vector (*gate)(View), Vector (*gate_backward)(View, View), View dout, View x,
                      std::size_t rows, std::size_t F) {
  VKGPT_CHECK(x.size() == rows * 2 * F && dout.size() == rows * F);
  Vector dx;
  for (std::size_t row = 0; row < rows; ++row) {
    const View g = x.subspan(row * 2 * F, F), up = x.subspan(row * 2 * F + F, F);
    const View d = dout.subspan(row * F, F);
    const auto product = [](double a, double b) { return a * b; };
    for (const Vector& part : {gate_backward(map(d, up, product), g), map(d, gate(g), product)})
      dx.insert(dx.end(), part.begin(), part.end());
  }
  return dx;
}

Vector silu_forward(View x) {
  return map(x, [](double v) { return v * sigmoid(v); });
}

Vector silu_backward(View dout, View x) {
  return map(dout, x, [](double d, double v) { return d * sigmoid(v) * (1.0 + v * (1.0 - sigmoid(v))); });
}

}  // namespace

Vector swiglu_forward(View x, std::size_t rows, std::size_t F) {
  return gated_forward(silu_forward, x, rows, F);
}

Vector swiglu_backward(View dout, View x, std::size_t rows, std::size_t F) {
  return gated_backward(silu_forward, silu_backward, dout, x, rows, F);
}

Vector geglu_forward(View x, std::size_t rows, std::size_t F) {
  return gated_forward(gelu_forward, x, rows, F);
}

Vector geglu_backward(View dout, View x, std::size_t rows, std::size_t F) {
  return gated_backward(gelu_forward, gelu_backward, dout, x, rows, F);
}

namespace {

struct Function {
  const char* name;
  ops::Activation kind;
  Vector (*forward)(View x);
  Vector (*backward)(View dout, View x);
};

constexpr Function kFunctions[] = {
    {"gelu", ops::Activation::kGelu, gelu_forward, gelu_backward},
    {"gelu_erf", ops::Activation::kGeluErf, gelu_erf_forward, gelu_erf_backward},
    {"relu_squared", ops::Activation::kReluSquared, relu_squared_forward, relu_squared_backward}};

void both_passes(Trial& t, const Function& f, DType dtype, std::int64_t n) {
  const Operand x = t.random({n}, 1, 6.0F, dtype), dy = t.random({n}, 2, 3.0F, dtype);
  const plan::Tensor y = t.output({n}, dtype), dx = t.output({n}, dtype);
  t.pass(vkgpt::format("{} {} {} forward", dtype_name(dtype), f.name, n));
  ops::activation_forward(t.builder(), f.kind, x, y);
  t.pass(vkgpt::format("{} {} {} backward", dtype_name(dtype), f.name, n));
  ops::activation_backward(t.builder(), f.kind, dy, x, dx);
  if (t.is_timed()) return;
  t.expect("y", y, f.forward(x), rounding_bound(dtype));
  t.expect("dx", dx, f.backward(dy, x), rounding_bound(dtype));
}

void swiglu(Trial& t, DType dtype, std::int64_t rows, std::int64_t F) {
  const Operand x = t.random({1, rows, 2 * F}, 1, 6.0F, dtype), dy = t.random({1, rows, F}, 2, 3.0F, dtype);
  const plan::Tensor y = t.output({1, rows, F}, dtype), dx = t.output({1, rows, 2 * F}, dtype);
  ops::swiglu_forward(t.builder(), x, y);
  ops::swiglu_backward(t.builder(), dy, x, dx);
  if (t.is_timed()) return;
  t.expect("y", y, swiglu_forward(x, rows, F), rounding_bound(dtype));
  t.expect("dx", dx, swiglu_backward(dy, x, rows, F), rounding_bound(dtype));
}

void geglu(Trial& t, DType dtype, std::int64_t rows, std::int64_t F) {
  const Operand x = t.random({1, rows, 2 * F}, 1, 6.0F, dtype), dy = t.random({1, rows, F}, 2, 3.0F, dtype);
  const plan::Tensor y = t.output({1, rows, F}, dtype), dx = t.output({1, rows, 2 * F}, dtype);
  ops::swiglu_forward(t.builder(), x, y, ops::Gate::kGelu);
  ops::swiglu_backward(t.builder(), dy, x, dx, ops::Gate::kGelu);
  if (t.is_timed()) return;
  t.expect("y", y, geglu_forward(x, rows, F), rounding_bound(dtype));
  t.expect("dx", dx, geglu_backward(dy, x, rows, F), rounding_bound(dtype));
}

/// Large inputs neither overflow nor cancel.
void saturation(Trial& t, const Function& f) {
  const std::vector<float> values{-3e38F, -1e13F, -1e4F, -100, -12, -6,    -3,   -1e-20F,
                                  0,      1e-20F, 6,     12,   100, 1e13F, 3e38F};
  const Shape shape{static_cast<std::int64_t>(values.size())};
  const Operand x = t.given(shape, values), dy = t.given(shape, std::vector<float>(values.size(), 1.0F));
  const plan::Tensor y = t.output(shape), dx = t.output(shape);
  ops::activation_forward(t.builder(), f.kind, x, y);
  ops::activation_backward(t.builder(), f.kind, dy, x, dx);
  Vector expected_y = f.forward(x), expected_dx = f.backward(dy, x);
  for (std::size_t i = 0; i < values.size(); ++i) {
    // Far out the definition's cube overflows even a double; the limits are exact there.
    if (std::abs(values[i]) <= 1e3F) continue;
    expected_y[i] = std::max(x.values[i], 0.0);
    expected_dx[i] = values[i] > 0 ? 1.0 : 0.0;
  }
  t.expect_near("y", y, expected_y, 1e-5, 1e-7);
  t.expect_near("dx", dx, expected_dx, 1e-5, 1e-7);
}

void swiglu_saturation(Trial& t) {
  const std::vector<float> values{-3e38F, -100, -1e-20F, 0, 100, 1e20F, 0.5F, 2, 3, 4, 5, 6};
  const Operand x = t.given({1, 12}, values), dy = t.given({1, 6}, std::vector<float>(6, 1.0F));
  const plan::Tensor y = t.output({1, 6}), dx = t.output({1, 12});
  ops::swiglu_forward(t.builder(), x, y);
  ops::swiglu_backward(t.builder(), dy, x, dx);
  t.expect("y", y, {0, 0, -1.5e-20, 0, 500, 6e20}, kFp32Nmse);
  t.expect("dx", dx, {0, 0, 1.5, 2, 5, 6, 0, 0, -0.5e-20, 0, 100, 1e20}, kFp32Nmse);
}

/// The polynomial of Phi as fine as it is claimed to be, where x does not hide its error.
void fine_gelu_erf(Trial& t, float from, float to, double relative, double absolute = 0) {
  std::vector<float> values;
  for (int i = 0; i <= 10000; ++i) values.push_back(from + (to - from) * static_cast<float>(i) / 10000.0F);
  const Operand x = t.given({10001}, values);
  const plan::Tensor y = t.output({10001});
  ops::activation_forward(t.builder(), ops::Activation::kGeluErf, x, y);
  t.expect_near("y", y, gelu_erf_forward(x), relative, absolute);
}

}  // namespace

std::vector<Case> activation_cases() {
  std::vector<Case> cases;
  for (const Function& f : kFunctions) {
    append(cases, elementwise_cases(
                      f.name, [=](Trial& t, DType dtype, std::int64_t n) { both_passes(t, f, dtype, n); }));
  }
  append(cases, rowwise_cases("swiglu", swiglu));
  append(cases, rowwise_cases("geglu", geglu));
  for (const Function& f : {kFunctions[0], kFunctions[1]}) {
    cases.push_back(
        {.variant = vkgpt::format("f32 {} saturates", f.name), .build = [=](Trial& t) { saturation(t, f); }});
  }
  cases.push_back({.variant = "f32 swiglu saturates", .build = swiglu_saturation});
  // Phi is near 1 above 0; below, y is small and its own relative error shows. Vulkan lets exp(-x^2 / 2) be
  // wrong by 3 + x^2 ULP, 28 at -5; polynomial and division add 6e-7.
  cases.push_back(
      {.variant = "f32 gelu_erf below 0", .build = [](Trial& t) { fine_gelu_erf(t, -4.9995F, 0, 5e-6); }});
  cases.push_back(
      {.variant = "f32 gelu_erf above 0", .build = [](Trial& t) { fine_gelu_erf(t, 0, 10, 2.5e-7 * 2); }});
  cases.push_back(
      {.variant = "f32 gelu_erf far below 0", .build = [](Trial& t) { fine_gelu_erf(t, -10, -5, 0, 1e-6); }});
  return cases;
}

}  // namespace vkgpt::check
