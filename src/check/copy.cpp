#include "vkgpt/ops/copy.hpp"

#include "vkgpt/check/op_table.hpp"

namespace vkgpt::check {
namespace {

/// Below the type's least normal number, where arithmetic may give zero.
float subnormal(DType dtype) {
  return dtype == DType::kF16 ? 0x1p-24F : 0x1p-133F;
}

}  // namespace

std::vector<Case> copy_cases() {
  std::vector<Case> cases = elementwise_cases("", [](Trial& t, DType dtype, std::int64_t n) {
    std::vector<float> values = random_floats(static_cast<std::size_t>(n), 1, 100.0F);
    values[0] = subnormal(dtype);
    const plan::Tensor x = t.input({n}, values, dtype), y = t.output({1, n}, dtype);
    ops::copy(t.builder(), x, y);
    if (t.is_timed()) return;
    t.expect_exactly("y", y, rounded(values, dtype));
  });
  // Odd sizes are copied element by element, these by words of several.
  for (Case& c : cases) c.quick = c.quick || c.variant.ends_with(" 1000");
  return cases;
}

}  // namespace vkgpt::check
