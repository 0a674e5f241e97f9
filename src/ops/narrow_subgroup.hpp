#pragma once

#include <cstdint>

#include "vkgpt/vk/device_caps.hpp"
#include "vkgpt/vk/subgroup_size.hpp"

namespace vkgpt::ops {

/// Lanes of a subgroup whose kernel holds much in registers. Intel's threads have enough for the fewest only:
/// with 16 before Xe2, or 32 from it on, four rows of `attention_decode` spill, and so does `sample`.
inline std::uint32_t narrow_subgroup(const vk::DeviceCaps& caps) {
  const bool is_narrow = caps.vendor_id == vk::kVendorIntel && vk::knows_subgroup_size(caps);
  return is_narrow ? caps.min_subgroup_size : caps.subgroup_size;
}

}  // namespace vkgpt::ops
