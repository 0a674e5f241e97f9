#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <volk.h>

#include "vkgpt/vk/instance.hpp"
#include "vkgpt/vk/target.hpp"

namespace vkgpt::vk {

/// A device that the loader found.
struct PhysicalDevice {
  VkPhysicalDevice handle = VK_NULL_HANDLE;
  DeviceCaps caps;
  KernelChoices kernels = {};
  std::string rejection;  // why vkgpt cannot use it; empty when it can

  Target target() const { return {caps, kernels}; }
};

/// Every device, in the loader's order, without choices of kernels and matrix units.
std::vector<PhysicalDevice> enumerate_devices(const Instance& instance);

/// Asks a usable device for its matrix units. Apart, since a driver may fail in it that is not to be used.
void query_matrices(PhysicalDevice& device);

/// Picks by index, by UUID or by a case-insensitive part of the name; an empty selector takes the best usable
/// one: discrete, then integrated, then virtual, then CPU. Fails with the list of devices and reasons.
const PhysicalDevice& select_device(const std::vector<PhysicalDevice>& devices, std::string_view selector);

}  // namespace vkgpt::vk
