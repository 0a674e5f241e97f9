#pragma once

#include <cstdint>

#include "vkgpt/core/dtype.hpp"
#include "vkgpt/vk/device_caps.hpp"

namespace vkgpt::ops {

/// Operations that one dispatch of products of `dtype` may hold (see `max_dispatch_flops`): a device with
/// matrices does several times the work of another in the same time.
std::int64_t max_product_flops(const vk::DeviceCaps& caps, DType dtype);

}  // namespace vkgpt::ops
