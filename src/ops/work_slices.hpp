#pragma once

#include <initializer_list>
#include <vector>

#include "vkgpt/ops/launch.hpp"

namespace vkgpt::ops {

/// `element_slices` for kernels whose elements know nothing of each other: shorter, down to 1 MiB of f32,
/// where dispatches are to hold less work (`DeviceCaps::dispatch_share`).
std::vector<Slice> work_slices(const plan::PlanBuilder& builder, std::initializer_list<plan::Tensor> tensors,
                               std::int64_t granule = slice_granule(false));

}  // namespace vkgpt::ops
