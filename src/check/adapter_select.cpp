#include "vkgpt/ops/adapter_select.hpp"

#include <span>
#include <string>

#include "vkgpt/check/op_table.hpp"
#include "vkgpt/core/format.hpp"

namespace vkgpt::check {
namespace {

void select(Trial& t, DType dtype, std::int64_t rows, std::int64_t R) {
  const Operand hidden = t.random({rows, R}, 1, 2.0F, dtype);
  std::vector<std::int32_t> owners, adapters;
  for (std::int64_t j = 0; j < R; ++j) owners.push_back(static_cast<std::int32_t>(j / 3 % 4));
  for (std::int64_t row = 0; row < rows; ++row) {
    adapters.push_back(static_cast<std::int32_t>(row % 5) - 1);
  }
  ops::adapter_select(t.builder(), hidden, t.input({R}, std::span<const std::int32_t>(owners)),
                      t.input({rows}, std::span<const std::int32_t>(adapters)));
  if (t.is_timed()) return;
  std::vector<float> expected = to_float(hidden.values);
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const auto width = static_cast<std::size_t>(R);
    if (owners[i % width] != adapters[i / width]) expected[i] = 0;
  }
  t.expect_exactly("hidden", hidden, expected);
}

}  // namespace

std::vector<Case> adapter_select_cases() {
  std::vector<Case> cases;
  for (const DType dtype : kFloatTypes) {
    cases.push_back({.variant = vkgpt::format("{} 16x24", dtype_name(dtype)),
                     .dtype = dtype,
                     .quick = true,
                     .devices = folded_devices(4096),
                     .build = [=](Trial& t) { select(t, dtype, 16, 24); }});
  }
  cases.push_back({.variant = "f32 1x8", .build = [](Trial& t) { select(t, DType::kF32, 1, 8); }});
  cases.push_back({.variant = "f32 300x40", .build = [](Trial& t) { select(t, DType::kF32, 300, 40); }});
  return cases;
}

}  // namespace vkgpt::check
