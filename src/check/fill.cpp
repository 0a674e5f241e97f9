#include "vkgpt/ops/fill.hpp"

#include <bit>

#include "vkgpt/check/op_table.hpp"
#include "vkgpt/core/format.hpp"

namespace vkgpt::check {

std::vector<Case> fill_cases() {
  std::vector<Case> cases;
  for (const DType dtype : kFloatTypes) {
    for (const std::int64_t n : {1, 7, 64, 257, 5001}) {
      cases.push_back({.variant = vkgpt::format("{} {}", dtype_name(dtype), n),
                       .dtype = dtype,
                       .quick = n == 5001,
                       .devices = folded_devices(1024),
                       .build = [=](Trial& t) {
                         const bool is_16bit = dtype_size(dtype) == 2;
                         const std::uint32_t bits =
                             is_16bit ? to_16_bits(1.5F, dtype) : std::bit_cast<std::uint32_t>(1.5F);
                         const plan::Tensor filled = t.output({n}, dtype), zeroed = t.output({n}, dtype);
                         ops::fill(t.builder(), filled, bits);
                         ops::zero(t.builder(), zeroed);
                         const auto count = static_cast<std::size_t>(n);
                         t.expect_exactly("filled", filled, std::vector<float>(count, 1.5F));
                         t.expect_exactly("zeroed", zeroed, std::vector<float>(count, 0.0F));
                       }});
    }
  }
  return cases;
}

}  // namespace vkgpt::check
