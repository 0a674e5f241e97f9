#include "vkgpt/ops/fill.hpp"

#include <bit>

#include "vkgpt/check/op_table.hpp"

namespace vkgpt::check {

std::vector<Case> fill_cases() {
  std::vector<Case> cases = elementwise_cases("", [](Trial& t, DType dtype, std::int64_t n) {
    const bool is_16bit = dtype_size(dtype) == 2;
    const std::uint32_t bits = is_16bit ? to_16_bits(1.5F, dtype) : std::bit_cast<std::uint32_t>(1.5F);
    const plan::Tensor filled = t.output({n}, dtype), zeroed = t.output({n}, dtype);
    ops::fill(t.builder(), filled, bits);
    ops::zero(t.builder(), zeroed);
    if (t.is_timed()) return;
    t.expect_exactly("filled", filled, std::vector<float>(n, 1.5F));
    t.expect_exactly("zeroed", zeroed, std::vector<float>(n, 0.0F));
  });
  // Odd sizes are filled element by element, these by words of several.
  for (Case& c : cases) c.quick = c.quick || c.variant.ends_with(" 1000");
  return cases;
}

}  // namespace vkgpt::check
