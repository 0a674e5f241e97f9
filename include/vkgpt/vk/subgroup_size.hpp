#pragma once

#include "vkgpt/vk/device_caps.hpp"

namespace vkgpt::vk {

/// Whether the size of every subgroup is known: a kernel requires it, or there is only one. NVK, for one,
/// lets none be required and has 32 only.
inline bool knows_subgroup_size(const DeviceCaps& caps) {
  return caps.subgroup_size_control || caps.min_subgroup_size == caps.max_subgroup_size;
}

}  // namespace vkgpt::vk
