#pragma once

#include <array>
#include <cstdint>

#include "vkgpt/vk/device_caps.hpp"

namespace vkgpt::ops {

/// ceil(a / b).
constexpr std::int64_t ceil_div(std::int64_t a, std::int64_t b) {
  return (a + b - 1) / b;
}

/// Folds `groups` workgroups over x and y so that neither exceeds the device's limit. There may be a few more
/// than asked: the shader numbers them with `grid_group()` (shaders/include/grid.glsl) and skips the rest.
std::array<std::uint32_t, 3> fold_grid(const vk::DeviceCaps& caps, std::int64_t groups);

/// Workgroup size of element-wise kernels: one subgroup on a CPU driver (a workgroup is one thread's work
/// there), else 256 or what the device allows.
std::uint32_t elementwise_workgroup(const vk::DeviceCaps& caps);

/// Invocations that a device of the kind should have to work on, to have no idle processors.
std::int64_t invocations_to_fill(const vk::DeviceCaps& caps);

}  // namespace vkgpt::ops
