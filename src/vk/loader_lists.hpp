#pragma once

#include <mutex>
#include <shared_mutex>

namespace vkgpt::vk {

/// To be held alone while an instance or a device is made or destroyed, devices are listed (which unloads
/// drivers without any) or a device's functions are asked for, shared while an object is named: for those the
/// loader (1.4.309, for one) walks its lists of instances, drivers and devices without a lock of its own.
std::shared_mutex& loader_lists();

}  // namespace vkgpt::vk
