#pragma once

#include <initializer_list>
#include <vector>

#include "vkgpt/ops/launch.hpp"

namespace vkgpt::ops {

/// `element_slices` for kernels whose elements know nothing of each other: shorter, down to 1 MiB of f32,
/// where dispatches are to hold less work (`DeviceCaps::dispatch_share`).
std::vector<Slice> work_slices(const plan::PlanBuilder& builder, std::initializer_list<plan::Tensor> tensors,
                               std::int64_t granule = slice_granule(false));

/// The same for kernels whose rows know nothing of each other: `slice`, or all `rows`, in parts that begin at
/// multiples of `granule` rows of it.
std::vector<Slice> work_rows(const vk::DeviceCaps& caps, Slice slice, std::int64_t row_bytes,
                             std::int64_t granule);
std::vector<Slice> work_rows(const vk::DeviceCaps& caps, std::int64_t rows, std::int64_t row_bytes,
                             std::int64_t granule);

}  // namespace vkgpt::ops
