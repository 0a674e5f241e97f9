#include "ops/grid.hpp"

#include <algorithm>

#include "vkgpt/core/check.hpp"

namespace vkgpt::ops {

std::array<std::uint32_t, 3> fold_grid(const vk::DeviceCaps& caps, std::uint64_t groups) {
  const std::uint64_t x_limit = caps.max_workgroup_count[0];
  const std::uint64_t y = std::max<std::uint64_t>(1, ceil_div(groups, x_limit));
  VKGPT_CHECK(y <= caps.max_workgroup_count[1], "{} workgroups", groups);
  const std::uint64_t x = std::max<std::uint64_t>(1, ceil_div(groups, y));
  return {static_cast<std::uint32_t>(x), static_cast<std::uint32_t>(y), 1};
}

std::uint32_t elementwise_workgroup(const vk::DeviceCaps& caps) {
  if (caps.is_cpu()) return caps.subgroup_size;
  return std::min<std::uint32_t>(256, std::min(caps.max_workgroup_invocations, caps.max_workgroup_size[0]));
}

}  // namespace vkgpt::ops
