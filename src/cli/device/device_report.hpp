#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "vkgpt/vk/device.hpp"
#include "vkgpt/vk/kernel_record.hpp"

namespace vkgpt::cli {

/// Why each device is chosen or not. `chosen` is what `select_device` gave for `selector`, or null when no
/// device can be used.
std::vector<std::string> choice_reasons(const std::vector<vk::PhysicalDevice>& devices,
                                        const vk::PhysicalDevice* chosen, std::string_view selector);

/// All of the device's caps, and its backends; sizes in bytes.
nlohmann::ordered_json target_json(const vk::Target& target);

/// What is known of the kernels of devices, by UUID.
using KernelRecords = std::map<std::string, vk::KernelRecord>;

/// A block of aligned lines for each device.
std::string device_table(const std::vector<vk::PhysicalDevice>& devices, const vk::PhysicalDevice* chosen,
                         std::string_view selector, const KernelRecords& records = {});

/// {"devices": [...], "chosen": index or null}; sizes in bytes. A device's "failed" names the kernels that
/// fail and cannot be replaced, with the reason.
nlohmann::ordered_json devices_json(const std::vector<vk::PhysicalDevice>& devices,
                                    const vk::PhysicalDevice* chosen, std::string_view selector,
                                    const KernelRecords& records = {});

}  // namespace vkgpt::cli
