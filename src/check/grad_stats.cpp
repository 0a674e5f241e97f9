#include "vkgpt/ops/optimizer/grad_stats.hpp"

#include <algorithm>
#include <cmath>

#include "vkgpt/check/op_table.hpp"
#include "vkgpt/core/format.hpp"
#include "vkgpt/ops/launch.hpp"

namespace vkgpt::check {
namespace {

/// {norm, max |x|, NaNs, Infs}
Vector stats_of(View values) {
  Vector row(4, 0.0);
  for (const double x : values) {
    if (std::isnan(x)) {
      row[2] += 1;
    } else if (std::isinf(x)) {
      row[3] += 1;
    } else {
      row[0] += x * x;
      row[1] = std::max(row[1], std::abs(x));
    }
  }
  row[0] = std::sqrt(row[0]);
  return row;
}

/// Views of an arena, each with its row; the last one is zero.
void arena(Trial& t) {
  std::vector<float> values = random_floats(7616, 1, 3.0F);
  for (const std::size_t i : {70, 71, 7256}) values[i] = i == 71 ? -kNaN : kNaN;  // 7256 ends the long one
  values[200] = -kInfinity;
  values[300] = kInfinity;
  std::fill(values.begin() + 7296, values.end(), 0.0F);
  const Operand whole = t.given({7616}, values);
  std::vector<plan::Tensor> tensors;
  Vector expected;
  for (const ops::Slice range : {ops::Slice{0, 1}, {64, 100}, {192, 64}, {256, 7001}, {7296, 320}}) {
    tensors.push_back(t.builder().view(whole, range.first, {range.count}));
    const Vector row = stats_of(
        View(whole).subspan(static_cast<std::size_t>(range.first), static_cast<std::size_t>(range.count)));
    expected.insert(expected.end(), row.begin(), row.end());
  }
  const plan::Tensor result = t.output({5, 4});
  ops::grad_stats(t.builder(), tensors, result);
  t.expect_near("stats", result, expected, 1e-6);
}

void activations(Trial& t, DType dtype) {
  std::vector<float> values = random_floats(3001, 1, 300.0F);
  values[1] = kNaN;
  values[3000] = -kInfinity;
  const Operand x = t.given({3001}, values, dtype);
  const plan::Tensor result = t.output({1, 4});
  ops::grad_stats(t.builder(), std::vector{x.tensor}, result);
  t.expect_near("stats", result, stats_of(x), 1e-6);
}

}  // namespace

std::vector<Case> grad_stats_cases() {
  std::vector<Case> cases = {
      {.variant = "f32 views of an arena", .quick = true, .devices = folded_devices(2048), .build = arena}};
  for (const DType dtype : kFloatTypes) {
    cases.push_back({.variant = vkgpt::format("{} activations", dtype_name(dtype)),
                     .dtype = dtype,
                     .devices = folded_devices(2048),
                     .build = [=](Trial& t) { activations(t, dtype); }});
  }
  return cases;
}

}  // namespace vkgpt::check
