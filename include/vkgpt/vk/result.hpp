#pragma once

#include <string>
#include <string_view>

#include <volk.h>

#include "vkgpt/core/error.hpp"

namespace vkgpt::vk {

/// The device was lost (a watchdog, a crash of the driver). The owner of the device may recreate it.
class DeviceLost : public Error {
 public:
  using Error::Error;
};

/// The device or the host has no memory for what was asked; nothing else is wrong with it.
class OutOfMemory : public Error {
 public:
  using Error::Error;
};

/// "VK_ERROR_OUT_OF_DEVICE_MEMORY".
std::string_view result_name(VkResult result);

/// Throws `DeviceLost`, `OutOfMemory` or `Error` unless `result` is `VK_SUCCESS`. The message carries the
/// expression, the result and the label of the work in flight.
void check_result(VkResult result, std::string_view expression, std::string_view label = {});

}  // namespace vkgpt::vk

/// Checks a Vulkan call: `VK_CHECK(table.vkEndCommandBuffer(cmd))` or `VK_CHECK(call, label)`.
#define VK_CHECK(expression, ...) \
  ::vkgpt::vk::check_result((expression), #expression __VA_OPT__(, ) __VA_ARGS__)
