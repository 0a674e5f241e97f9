#pragma once

#include <volk.h>

#include "vkgpt/vk/device.hpp"

namespace vkgpt::vk {

/// Reads what the driver says of a device, and whether vkgpt can use it.
PhysicalDevice query_device(VkPhysicalDevice handle);

}  // namespace vkgpt::vk
