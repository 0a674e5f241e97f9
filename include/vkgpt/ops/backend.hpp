#pragma once

#include <array>
#include <string_view>
#include <vector>

#include "vkgpt/core/dtype.hpp"
#include "vkgpt/vk/target.hpp"

namespace vkgpt::ops {

using vk::Backend;

/// Whether the device has what the kernels of `backend` need for elements of `dtype`.
bool has_backend(const vk::DeviceCaps& caps, Backend backend, DType dtype);

/// Whether VK_NV_cooperative_matrix2 offers workgroup-scope matrices, moved by tensor addressing. Mesa's
/// drivers (26.1) have neither: there matrices are at subgroup scope and are moved element by element.
bool has_workgroup_matrices(const vk::DeviceCaps& caps);

/// The ops that have several backends.
inline constexpr std::array<std::string_view, 2> kOpsWithBackends = {"matmul", "attention"};

/// The backends to try for `op` ("matmul", "attention") on elements of `dtype`, the first one in front: the
/// one that the user forced, then the device's own order without those that a self-test switched off. The
/// scalar one is always the last.
std::vector<Backend> backend_order(const vk::Target& target, std::string_view op, DType dtype);

/// The backends that the device can run for elements of `dtype`, whatever was chosen.
std::vector<Backend> usable_backends(const vk::DeviceCaps& caps, DType dtype);

}  // namespace vkgpt::ops
