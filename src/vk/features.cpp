#include "vk/features.hpp"

#include <algorithm>
#include <string_view>

#include "vkgpt/vk/device_caps.hpp"
#include "vkgpt/vk/result.hpp"

namespace vkgpt::vk {

FeatureChain::FeatureChain(const std::vector<std::string>& extensions) {
  core.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2;
  vulkan11.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_1_FEATURES;
  vulkan12.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_FEATURES;
  vulkan13.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_3_FEATURES;
  cooperative_matrix.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_COOPERATIVE_MATRIX_FEATURES_KHR;
  cooperative_matrix2.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_COOPERATIVE_MATRIX_2_FEATURES_NV;
  executable_properties.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PIPELINE_EXECUTABLE_PROPERTIES_FEATURES_KHR;
  core.pNext = &vulkan11;
  vulkan11.pNext = &vulkan12;
  vulkan12.pNext = &vulkan13;
  void** next = &vulkan13.pNext;
  if (std::ranges::contains(extensions, VK_KHR_COOPERATIVE_MATRIX_EXTENSION_NAME)) {
    *next = &cooperative_matrix;
    next = &cooperative_matrix.pNext;
  }
  if (std::ranges::contains(extensions, VK_NV_COOPERATIVE_MATRIX_2_EXTENSION_NAME)) {
    *next = &cooperative_matrix2;
    next = &cooperative_matrix2.pNext;
  }
  if (std::ranges::contains(extensions, VK_KHR_PIPELINE_EXECUTABLE_PROPERTIES_EXTENSION_NAME)) {
    *next = &executable_properties;
    next = &executable_properties.pNext;
  }
#ifdef VK_KHR_shader_bfloat16
  bfloat16.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_BFLOAT16_FEATURES_KHR;
  if (std::ranges::contains(extensions, VK_KHR_SHADER_BFLOAT16_EXTENSION_NAME)) *next = &bfloat16;
#endif
}

std::vector<std::string> device_extensions(VkPhysicalDevice device) {
  std::uint32_t count = 0;
  VK_CHECK(vkEnumerateDeviceExtensionProperties(device, nullptr, &count, nullptr));
  std::vector<VkExtensionProperties> extensions(count);
  VK_CHECK(vkEnumerateDeviceExtensionProperties(device, nullptr, &count, extensions.data()));
  std::vector<std::string> names;
  for (const VkExtensionProperties& extension : extensions) names.emplace_back(extension.extensionName);
  return names;
}

std::vector<VkQueueFamilyProperties> queue_families(VkPhysicalDevice device) {
  std::uint32_t count = 0;
  vkGetPhysicalDeviceQueueFamilyProperties(device, &count, nullptr);
  std::vector<VkQueueFamilyProperties> families(count);
  vkGetPhysicalDeviceQueueFamilyProperties(device, &count, families.data());
  return families;
}

int find_compute_family(const std::vector<VkQueueFamilyProperties>& families, std::uint32_t vendor_id) {
  const bool prefers_compute_only = vendor_id == kVendorAmd || vendor_id == kVendorIntel;
  const auto rating = [&](const VkQueueFamilyProperties& family) {
    if ((family.queueFlags & VK_QUEUE_COMPUTE_BIT) == 0) return 0;
    const bool is_compute_only = (family.queueFlags & VK_QUEUE_GRAPHICS_BIT) == 0;
    return 1 + (family.timestampValidBits > 0 ? 2 : 0) + (is_compute_only && prefers_compute_only ? 1 : 0);
  };
  const auto best = std::ranges::max_element(families, {}, rating);
  if (best == families.end() || rating(*best) == 0) return -1;
  return static_cast<int>(best - families.begin());
}

bool has_matrix_units(const VkPhysicalDeviceProperties& core,
                      const VkPhysicalDeviceVulkan11Properties& vulkan11,
                      const VkPhysicalDeviceVulkan12Properties& vulkan12,
                      const VkPhysicalDeviceVulkan13Properties& vulkan13) {
  const VkDriverId driver = vulkan12.driverID;
  if (driver == VK_DRIVER_ID_AMD_PROPRIETARY || driver == VK_DRIVER_ID_AMD_OPEN_SOURCE) {
    return vulkan13.integerDotProduct4x8BitPackedMixedSignednessAccelerated != VK_FALSE;
  }
  // Mesa 26.1 crashes over matrices of 16 lanes.
  if (driver == VK_DRIVER_ID_MESA_LLVMPIPE) return vulkan11.subgroupSize < 16;
  return !std::string_view(core.deviceName).contains("GTX 16");
}

std::string missing_requirements(const FeatureChain& available) {
  const std::pair<VkBool32, std::string_view> required[] = {
      {available.vulkan12.timelineSemaphore, "timelineSemaphore"},
      {available.vulkan12.vulkanMemoryModel, "vulkanMemoryModel"},
      {available.vulkan13.synchronization2, "synchronization2"},
      {available.vulkan13.maintenance4, "maintenance4"},
  };
  std::string missing;
  for (const auto& [present, name] : required) {
    if (present) continue;
    missing += missing.empty() ? "lacks the feature " : ", ";
    missing += name;
  }
  return missing;
}

void choose_features(const FeatureChain& available, FeatureChain& enabled) {
  enabled.vulkan12.timelineSemaphore = VK_TRUE;
  enabled.vulkan12.vulkanMemoryModel = VK_TRUE;
  enabled.vulkan13.synchronization2 = VK_TRUE;
  enabled.vulkan13.maintenance4 = VK_TRUE;

  enabled.core.features.shaderInt64 = available.core.features.shaderInt64;
  enabled.core.features.shaderInt16 = available.core.features.shaderInt16;
  enabled.vulkan11.storageBuffer16BitAccess = available.vulkan11.storageBuffer16BitAccess;
  enabled.vulkan12.shaderFloat16 = available.vulkan12.shaderFloat16;
  enabled.vulkan12.shaderInt8 = available.vulkan12.shaderInt8;
  enabled.vulkan12.storageBuffer8BitAccess = available.vulkan12.storageBuffer8BitAccess;
  enabled.vulkan12.shaderSubgroupExtendedTypes = available.vulkan12.shaderSubgroupExtendedTypes;
  enabled.vulkan13.subgroupSizeControl = available.vulkan13.subgroupSizeControl;
  enabled.vulkan13.computeFullSubgroups = available.vulkan13.computeFullSubgroups;
  enabled.cooperative_matrix.cooperativeMatrix = available.cooperative_matrix.cooperativeMatrix;
  const VkPhysicalDeviceCooperativeMatrix2FeaturesNV& matrix2 = available.cooperative_matrix2;
  enabled.cooperative_matrix2.cooperativeMatrixWorkgroupScope = matrix2.cooperativeMatrixWorkgroupScope;
  enabled.cooperative_matrix2.cooperativeMatrixFlexibleDimensions =
      matrix2.cooperativeMatrixFlexibleDimensions;
  enabled.cooperative_matrix2.cooperativeMatrixReductions = matrix2.cooperativeMatrixReductions;
  enabled.cooperative_matrix2.cooperativeMatrixConversions = matrix2.cooperativeMatrixConversions;
  enabled.cooperative_matrix2.cooperativeMatrixPerElementOperations =
      matrix2.cooperativeMatrixPerElementOperations;
  enabled.cooperative_matrix2.cooperativeMatrixTensorAddressing = matrix2.cooperativeMatrixTensorAddressing;
  enabled.cooperative_matrix2.cooperativeMatrixBlockLoads = matrix2.cooperativeMatrixBlockLoads;
  enabled.executable_properties.pipelineExecutableInfo =
      available.executable_properties.pipelineExecutableInfo;
#ifdef VK_KHR_shader_bfloat16
  enabled.bfloat16.shaderBFloat16Type = available.bfloat16.shaderBFloat16Type;
  enabled.bfloat16.shaderBFloat16CooperativeMatrix = available.bfloat16.shaderBFloat16CooperativeMatrix;
#endif
}

}  // namespace vkgpt::vk
