#include "ops/grid.hpp"

#include <algorithm>

#include "vkgpt/core/check.hpp"
#include "vkgpt/plan/limits.hpp"

namespace vkgpt::ops {

std::array<std::uint32_t, 3> fold_grid(const vk::DeviceCaps& caps, std::int64_t groups) {
  VKGPT_CHECK(groups > 0, "{} workgroups", groups);
  const std::int64_t y = ceil_div(groups, caps.max_workgroup_count[0]);
  plan::check_fits(y <= caps.max_workgroup_count[1], "a kernel needs {} workgroups, more than the device has",
                   groups);
  const std::int64_t x = ceil_div(groups, y);
  return {static_cast<std::uint32_t>(x), static_cast<std::uint32_t>(y), 1};
}

std::uint32_t elementwise_workgroup(const vk::DeviceCaps& caps) {
  if (caps.is_cpu()) return caps.subgroup_size;
  return std::min<std::uint32_t>(256, std::min(caps.max_workgroup_invocations, caps.max_workgroup_size[0]));
}

std::int64_t invocations_to_fill(const vk::DeviceCaps& caps) {
  constexpr std::int64_t kOfUnit =
      512;  // four subgroups for each of four schedulers hide one another's waits
  if (caps.compute_units > 0) return kOfUnit * caps.compute_units;
  switch (caps.type) {
    case vk::DeviceType::kCpu:
      return 64;
    case vk::DeviceType::kIntegrated:
      return 8192;
    default:
      return 65536;
  }
}

}  // namespace vkgpt::ops
