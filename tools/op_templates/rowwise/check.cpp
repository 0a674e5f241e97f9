#include <cmath>

#include "vkgpt/check/op_table.hpp"
#include "vkgpt/ops/NAME.hpp"

namespace vkgpt::check {
namespace {

/// The definition, for one row.
Vector value(View x) {
  double squares = 0.0;
  for (const double v : x) squares += v * v;
  const double rstd = 1.0 / std::sqrt(squares / static_cast<double>(x.size()) + double{1e-5F});
  Vector y;
  for (const double v : x) y.push_back(v * rstd);
  return y;
}

void both_passes(Trial& t, DType dtype, std::int64_t rows, std::int64_t C) {
  const Operand x = t.random({rows, C}, 1, 2.0F, dtype), dy = t.random({rows, C}, 2, 3.0F, dtype);
  const plan::Tensor y = t.output({rows, C}, dtype), dx = t.output({rows, C}, dtype);
  ops::NAME_forward(t.builder(), x, y);
  ops::NAME_backward(t.builder(), dy, x, dx);
  if (t.is_timed()) return;
  Vector expected_y, expected_dx;
  for (std::int64_t row = 0; row < rows; ++row) {
    const View in = row_of(x, row, C), dout = row_of(dy, row, C);
    append(expected_y, value(in));
    append(expected_dx, numeric_gradient([&](View r) { return dot(dout, value(r)); }, in));
  }
  t.expect("y", y, expected_y, rounding_bound(dtype));
  t.expect("dx", dx, expected_dx, rounding_bound(dtype));
}

}  // namespace

std::vector<Case> NAME_cases() {
  return rowwise_cases("", both_passes);
}

}  // namespace vkgpt::check
