#include <algorithm>
#include <charconv>
#include <optional>

#include "vkgpt/core/error.hpp"
#include "vkgpt/core/format.hpp"
#include "vkgpt/vk/physical_device.hpp"

namespace vkgpt::vk {
namespace {

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return result;
}

/// "0: NAME; 1: NAME (unusable: reason)", for messages.
std::string list_devices(const std::vector<PhysicalDevice>& devices) {
  std::string text;
  for (std::size_t i = 0; i < devices.size(); ++i) {
    text += vkgpt::format("{}{}: {}", i == 0 ? "" : "; ", i, devices[i].caps.name);
    if (!devices[i].rejection.empty()) text += vkgpt::format(" (unusable: it {})", devices[i].rejection);
  }
  return text;
}

int rank(DeviceType type) {
  switch (type) {
    case DeviceType::kDiscrete:
      return 0;
    case DeviceType::kIntegrated:
      return 1;
    case DeviceType::kVirtual:
      return 2;
    case DeviceType::kCpu:
      return 3;
    case DeviceType::kOther:
      break;
  }
  return 4;
}

const PhysicalDevice& best_device(const std::vector<PhysicalDevice>& devices) {
  const PhysicalDevice* best = nullptr;
  for (const PhysicalDevice& device : devices) {
    if (!device.rejection.empty()) continue;
    if (best == nullptr || rank(device.caps.type) < rank(best->caps.type)) best = &device;
  }
  if (best == nullptr) fail("no Vulkan device can be used: {}", list_devices(devices));
  return *best;
}

std::optional<std::size_t> parse_index(std::string_view text) {
  std::size_t index = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), index);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return index;
}

const PhysicalDevice& usable(const PhysicalDevice& device) {
  if (!device.rejection.empty())
    fail("device '{}' cannot be used: it {}", device.caps.name, device.rejection);
  return device;
}

/// Devices whose UUID or whole name is the selector or, if there are none, whose name contains it.
std::vector<const PhysicalDevice*> match_text(const std::vector<PhysicalDevice>& devices,
                                              std::string_view selector) {
  const std::string wanted = lower(selector);
  std::string uuid = wanted;
  std::erase(uuid, '-');
  std::vector<const PhysicalDevice*> exact;
  std::vector<const PhysicalDevice*> partial;
  for (const PhysicalDevice& device : devices) {
    const std::string name = lower(device.caps.name);
    if (name == wanted || device.caps.uuid == uuid) exact.push_back(&device);
    if (name.contains(wanted)) partial.push_back(&device);
  }
  return exact.empty() ? partial : exact;
}

}  // namespace

const PhysicalDevice& select_device(const std::vector<PhysicalDevice>& devices, std::string_view selector) {
  if (devices.empty()) {
    fail(
        "no Vulkan device was found: install the driver of your GPU, or mesa-vulkan-drivers for one that "
        "runs "
        "on the CPU");
  }
  if (selector.empty()) return best_device(devices);
  // "4090" is an index only if there are that many devices, else part of a name; "7" is no part of one,
  // though a driver's version may hold it.
  if (const auto index = parse_index(selector)) {
    if (*index < devices.size()) return usable(devices[*index]);
    if (selector.size() <= 2) fail_usage("there is no device {}: {}", selector, list_devices(devices));
  }
  std::vector<const PhysicalDevice*> matches = match_text(devices, selector);
  if (matches.empty()) fail_usage("no device matches '{}': {}", selector, list_devices(devices));
  if (matches.size() == 1) return usable(*matches.front());
  std::erase_if(matches, [](const PhysicalDevice* device) { return !device->rejection.empty(); });
  if (matches.size() != 1) {
    fail_usage("'{}' matches several devices, give an index or a UUID: {}", selector, list_devices(devices));
  }
  return *matches.front();
}

}  // namespace vkgpt::vk
