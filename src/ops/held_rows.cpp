#include "ops/held_rows.hpp"

#include "vkgpt/vk/subgroup_size.hpp"

#include "ops/grid.hpp"

namespace vkgpt::ops {

std::int64_t held_words(std::int64_t elements, DType dtype, std::int64_t invocations, std::int64_t most) {
  const std::int64_t width = 16 / dtype_size(dtype);
  if (elements % width != 0) return 0;
  const std::int64_t words = ceil_div(elements / width, invocations);
  return words <= most ? words : 0;
}

std::int64_t held_words(const vk::DeviceCaps& caps, std::int64_t elements, DType dtype, std::int64_t most) {
  const bool is_suited =
      !caps.is_cpu() && caps.vendor_id != vk::kVendorIntel && vk::knows_subgroup_size(caps);
  return is_suited ? held_words(elements, dtype, caps.subgroup_size, most) : 0;
}

}  // namespace vkgpt::ops
