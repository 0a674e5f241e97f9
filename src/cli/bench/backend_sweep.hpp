#pragma once

#include <string_view>

#include "vkgpt/plan/plan.hpp"
#include "vkgpt/vk/target.hpp"

namespace vkgpt::cli {

/// `target` with `backend` for `op` ("matmul" or "attention"), and the scalar one for what that cannot do.
vk::Target only_backend(vk::Target target, std::string_view op, vk::Backend backend);

/// Whether the kernels of one segment differ from those of the other: a segment that comes out as with the
/// scalar backend is work that the backend asked for cannot do.
bool has_other_kernels(const plan::Segment& segment, const plan::Segment& other);

}  // namespace vkgpt::cli
