#include "vkgpt/vk/device.hpp"

#include <algorithm>
#include <string>

#include "vkgpt/core/check.hpp"
#include "vkgpt/vk/result.hpp"

#include "vk/features.hpp"
#include "vk/loader_lists.hpp"
#include "vk/vma.hpp"

namespace vkgpt::vk {
namespace {

VmaAllocator create_allocator(const Instance& instance, VkPhysicalDevice physical, VkDevice device,
                              bool has_budget, bool has_addresses) {
  VmaVulkanFunctions functions{};
  functions.vkGetInstanceProcAddr = vkGetInstanceProcAddr;
  functions.vkGetDeviceProcAddr = vkGetDeviceProcAddr;
  VmaAllocatorCreateInfo info{};
  if (has_budget) info.flags |= VMA_ALLOCATOR_CREATE_EXT_MEMORY_BUDGET_BIT;
  if (has_addresses) info.flags |= VMA_ALLOCATOR_CREATE_BUFFER_DEVICE_ADDRESS_BIT;
  info.physicalDevice = physical;
  info.device = device;
  info.instance = instance.handle();
  info.pVulkanFunctions = &functions;
  info.vulkanApiVersion = VK_API_VERSION_1_3;
  VmaAllocator allocator = nullptr;
  VK_CHECK(vmaCreateAllocator(&info, &allocator));
  return allocator;
}

}  // namespace

Device::Device(const Instance& instance, const PhysicalDevice& physical)
    : instance_(instance), physical_(physical.handle), target_(physical.target()) {
  VKGPT_CHECK(physical.rejection.empty(), "{} {}", caps().name, physical.rejection);
  const std::vector<std::string> extensions = device_extensions(physical_);
  FeatureChain available(extensions);
  vkGetPhysicalDeviceFeatures2(physical_, &available.core);
  FeatureChain enabled(extensions);
  choose_features(available, enabled);
  enabled.vulkan12.bufferDeviceAddress = caps().buffer_device_address;

  std::vector<const char*> names;
  const auto enable = [&](const char* name) {
    const bool found = std::ranges::contains(extensions, std::string_view(name));
    if (found) names.push_back(name);
    return found;
  };
  const bool has_budget = enable(VK_EXT_MEMORY_BUDGET_EXTENSION_NAME);
  enable(VK_KHR_COOPERATIVE_MATRIX_EXTENSION_NAME);
  enable(VK_NV_COOPERATIVE_MATRIX_2_EXTENSION_NAME);
  enable(VK_KHR_PIPELINE_EXECUTABLE_PROPERTIES_EXTENSION_NAME);
  enable("VK_KHR_portability_subset");  // must be enabled where it exists
#ifdef VK_KHR_shader_bfloat16
  enable(VK_KHR_SHADER_BFLOAT16_EXTENSION_NAME);
#endif

  const std::vector<VkQueueFamilyProperties> families = queue_families(physical_);
  queue_family_ = static_cast<std::uint32_t>(find_compute_family(families, caps().vendor_id));
  timestamp_valid_bits_ = families[queue_family_].timestampValidBits;
  const float priority = 1.0f;
  const VkDeviceQueueCreateInfo queue_info = {.sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO,
                                              .pNext = nullptr,
                                              .flags = 0,
                                              .queueFamilyIndex = queue_family_,
                                              .queueCount = 1,
                                              .pQueuePriorities = &priority};
  VkDeviceCreateInfo info{};
  info.sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO;
  info.pNext = &enabled.core;
  info.queueCreateInfoCount = 1;
  info.pQueueCreateInfos = &queue_info;
  info.enabledExtensionCount = static_cast<std::uint32_t>(names.size());
  info.ppEnabledExtensionNames = names.data();
  {
    const std::unique_lock lock(loader_lists());
    VK_CHECK(vkCreateDevice(physical_, &info, nullptr, &device_), caps().name);
    volkLoadDeviceTable(&table_, device_);
    try {
      allocator_ = create_allocator(instance_, physical_, device_, has_budget, caps().buffer_device_address);
    } catch (...) {
      table_.vkDestroyDevice(device_, nullptr);
      throw;
    }
  }
  table_.vkGetDeviceQueue(device_, queue_family_, 0, &queue_);
  set_name(VK_OBJECT_TYPE_QUEUE, reinterpret_cast<std::uint64_t>(queue_), "compute queue");
}

Device::~Device() {
  vmaDestroyAllocator(allocator_);
  const std::unique_lock lock(loader_lists());
  table_.vkDestroyDevice(device_, nullptr);
}

std::uint64_t Device::address(VkBuffer buffer) const {
  const VkBufferDeviceAddressInfo info = {
      .sType = VK_STRUCTURE_TYPE_BUFFER_DEVICE_ADDRESS_INFO, .pNext = nullptr, .buffer = buffer};
  return table_.vkGetBufferDeviceAddress(device_, &info);
}

void Device::set_name(VkObjectType type, std::uint64_t handle, std::string_view name) const {
  if (!instance_.has_debug_utils()) return;
  const std::string text(name);
  const VkDebugUtilsObjectNameInfoEXT info = {.sType = VK_STRUCTURE_TYPE_DEBUG_UTILS_OBJECT_NAME_INFO_EXT,
                                              .pNext = nullptr,
                                              .objectType = type,
                                              .objectHandle = handle,
                                              .pObjectName = text.c_str()};
  const std::shared_lock lock(loader_lists());
  VK_CHECK(vkSetDebugUtilsObjectNameEXT(device_, &info));
}

}  // namespace vkgpt::vk
