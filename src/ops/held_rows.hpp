#pragma once

#include <cstdint>

#include "vkgpt/core/dtype.hpp"
#include "vkgpt/plan/dispatch.hpp"
#include "vkgpt/vk/device_caps.hpp"

// Kernels for GPUs that hold a row in registers (shaders/include/row_words.glsl).

namespace vkgpt::ops {

/// Words of 16 bytes that each of `invocations` holds of a row of `elements`; 0 where the row is not made of
/// whole words, or where there are more than `most`.
std::int64_t held_words(std::int64_t elements, DType dtype, std::int64_t invocations, std::int64_t most);

/// The same for a subgroup. 0 on CPU drivers, which keep a row in their caches, on Intel's, whose subgroups
/// have too few registers, and where the size of a subgroup is not known.
std::int64_t held_words(const vk::DeviceCaps& caps, std::int64_t elements, DType dtype, std::int64_t most);

/// DTYPE for shaders/include/row_words.glsl and, where the device converts to f16, NATIVE_ROUNDING.
plan::Macros row_words(const vk::DeviceCaps& caps, DType dtype);

}  // namespace vkgpt::ops
