#include <cmath>

#include "vkgpt/check/op_table.hpp"
#include "vkgpt/ops/NAME.hpp"

namespace vkgpt::check {
namespace {

/// The definition.
double value(double x) {
  return x / (1.0 + std::abs(x));
}

/// The gradient by central differences: a mistake in the derivative cannot be in it.
double slope(double x) {
  constexpr double kEps = 1e-5;
  return (value(x + kEps) - value(x - kEps)) / (2.0 * kEps);
}

void both_passes(Trial& t, DType dtype, std::int64_t n) {
  const Operand x = t.random({n}, 1, 6.0F, dtype), dy = t.random({n}, 2, 3.0F, dtype);
  const plan::Tensor y = t.output({n}, dtype), dx = t.output({n}, dtype);
  ops::NAME_forward(t.builder(), x, y);
  ops::NAME_backward(t.builder(), dy, x, dx);
  if (t.is_timed()) return;
  Vector expected_y, expected_dx;
  for (std::size_t i = 0; i < x.values.size(); ++i) {
    expected_y.push_back(value(x.values[i]));
    expected_dx.push_back(dy.values[i] * slope(x.values[i]));
  }
  t.expect("y", y, expected_y, rounding_bound(dtype));
  t.expect("dx", dx, expected_dx, rounding_bound(dtype));
}

}  // namespace

std::vector<Case> NAME_cases() {
  return elementwise_cases("", both_passes);
}

}  // namespace vkgpt::check
