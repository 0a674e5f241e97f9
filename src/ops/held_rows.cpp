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
  if (!vk::knows_subgroup_size(caps) || caps.vendor_id == vk::kVendorIntel) return 0;
  // A CPU driver's registers are memory in the first cache; it converts to f16 lane by lane.
  constexpr std::int64_t kMostOnCpu = 16;
  if (caps.is_cpu() && (dtype != DType::kF32 || caps.subgroup_size < 8)) return 0;
  return held_words(elements, dtype, caps.subgroup_size, caps.is_cpu() ? kMostOnCpu : most);
}

plan::Macros row_words(const vk::DeviceCaps& caps, DType dtype) {
  const bool converts = dtype == DType::kF16 && caps.shader_f16 && !caps.is_cpu();
  return plan::Macros{}.dtype("DTYPE", dtype).flag("NATIVE_ROUNDING", converts);
}

}  // namespace vkgpt::ops
