#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <volk.h>

namespace vkgpt::vk {

/// The chain of feature structures that vkgpt looks at. Not copyable: the structures point at each other.
struct FeatureChain {
  /// Links the core structures and those of the extensions in `extensions`.
  explicit FeatureChain(const std::vector<std::string>& extensions);
  FeatureChain(const FeatureChain&) = delete;
  FeatureChain& operator=(const FeatureChain&) = delete;

  VkPhysicalDeviceFeatures2 core{};
  VkPhysicalDeviceVulkan11Features vulkan11{};
  VkPhysicalDeviceVulkan12Features vulkan12{};
  VkPhysicalDeviceVulkan13Features vulkan13{};
  VkPhysicalDeviceCooperativeMatrixFeaturesKHR cooperative_matrix{};
  VkPhysicalDeviceCooperativeMatrix2FeaturesNV cooperative_matrix2{};
  VkPhysicalDevicePipelineExecutablePropertiesFeaturesKHR executable_properties{};
#ifdef VK_KHR_shader_bfloat16
  VkPhysicalDeviceShaderBfloat16FeaturesKHR bfloat16{};
#endif
};

/// Names of the device extensions.
std::vector<std::string> device_extensions(VkPhysicalDevice device);

/// Index of the queue family that vkgpt uses: the first with compute, preferably with timestamps, and on
/// AMD's and Intel's, where barriers on a graphics queue flush more, without graphics; -1 if none.
int find_compute_family(const std::vector<VkQueueFamilyProperties>& families, std::uint32_t vendor_id);

/// Whether matrix extensions, where the driver has them, are more than an emulation. AMD's own drivers offer
/// them before RDNA3 too, whose products of signed by unsigned bytes tell it apart; on some APUs they crash
/// when asked about it. The GTX 16 series is Turing without tensor cores.
bool has_matrix_units(const VkPhysicalDeviceProperties& core,
                      const VkPhysicalDeviceVulkan11Properties& vulkan11,
                      const VkPhysicalDeviceVulkan12Properties& vulkan12,
                      const VkPhysicalDeviceVulkan13Properties& vulkan13);

std::vector<VkQueueFamilyProperties> queue_families(VkPhysicalDevice device);

/// Sets in `enabled` what vkgpt uses of what `available` offers: everything required, and the optional
/// features that kernels are specialized for.
void choose_features(const FeatureChain& available, FeatureChain& enabled);

/// What is missing of what vkgpt requires, as "feature timelineSemaphore"; empty when nothing is.
std::string missing_requirements(const FeatureChain& available);

}  // namespace vkgpt::vk
