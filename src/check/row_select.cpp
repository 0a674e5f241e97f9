#include "vkgpt/ops/row_select.hpp"

#include <format>

#include "vkgpt/check/op_table.hpp"

namespace vkgpt::check {
namespace {

/// The last real row of each of B sequences of T rows.
void last_rows(Trial& t, DType dtype) {
  constexpr std::int64_t B = 3, T = 9, C = 101;
  const Operand x = t.random({B, T, C}, 1, 1.0F, dtype);
  const plan::Tensor y = t.output({B, C}, dtype);
  ops::row_select_forward(t.builder(), x, y);
  for (const std::uint32_t tokens : {1U, 4U, 9U}) {
    t.replay({.token_count = tokens});
    std::vector<float> expected;
    for (std::int64_t b = 0; b < B; ++b) {
      const auto row = x.values.begin() + (b * T + tokens - 1) * C;
      expected.insert(expected.end(), row, row + C);
    }
    t.expect_exactly("y", y, expected);
  }
}

}  // namespace

std::vector<Case> row_select_cases() {
  std::vector<Case> cases;
  for (const DType dtype : kFloatTypes) {
    cases.push_back({.variant = std::string(dtype_name(dtype)),
                     .dtype = dtype,
                     .quick = true,
                     .devices = folded_devices(1 << 20),
                     .build = [=](Trial& t) { last_rows(t, dtype); }});
  }
  return cases;
}

}  // namespace vkgpt::check
