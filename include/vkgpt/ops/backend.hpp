#pragma once

#include <array>
#include <string_view>
#include <vector>

#include "vkgpt/core/dtype.hpp"
#include "vkgpt/vk/device_caps.hpp"

namespace vkgpt::ops {

using vk::Backend;

/// Whether the device has what the kernels of `backend` need for elements of `dtype`.
bool has_backend(const vk::DeviceCaps& caps, Backend backend, DType dtype);

/// Whether matrices of VK_NV_cooperative_matrix2 may be those of a whole workgroup, moved by tensor
/// addressing. Mesa's drivers (26.1) have neither: there they belong to a subgroup and are moved element by
/// element.
bool has_workgroup_matrices(const vk::DeviceCaps& caps);

/// The ops that have several backends.
inline constexpr std::array<std::string_view, 2> kOpsWithBackends = {"matmul", "attention"};

/// Whether vkgpt has kernels of `backend` for `op`, for any device.
bool is_implemented(std::string_view op, Backend backend);

/// The backends of `op` ("matmul", "attention") for elements of `dtype`, the one to try first in front: what
/// the user forced, then the device's own order without those that a self-test switched off. The scalar one
/// is always the last.
std::vector<Backend> backend_order(const vk::DeviceCaps& caps, std::string_view op, DType dtype);

/// The backends of `op` that the device can run for elements of `dtype`, whatever was chosen.
std::vector<Backend> usable_backends(const vk::DeviceCaps& caps, std::string_view op, DType dtype);

}  // namespace vkgpt::ops
