#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "vkgpt/vk/device.hpp"

namespace vkgpt::cli {

/// Why each device is chosen or not. `chosen` is what `select_device` gave for `selector`, or null when no
/// device can be used.
std::vector<std::string> choice_reasons(const std::vector<vk::PhysicalDevice>& devices,
                                        const vk::PhysicalDevice* chosen, std::string_view selector);

/// All of the device's caps, and its backends; sizes in bytes.
nlohmann::ordered_json target_json(const vk::Target& target);

/// A block of aligned lines for each device.
std::string device_table(const std::vector<vk::PhysicalDevice>& devices, const vk::PhysicalDevice* chosen,
                         std::string_view selector);

/// {"devices": [...], "chosen": index or null}; sizes in bytes.
nlohmann::ordered_json devices_json(const std::vector<vk::PhysicalDevice>& devices,
                                    const vk::PhysicalDevice* chosen, std::string_view selector);

}  // namespace vkgpt::cli
