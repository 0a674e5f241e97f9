#include "vk/features.hpp"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "vkgpt/vk/device_caps.hpp"

namespace vkgpt::vk {
namespace {

VkQueueFamilyProperties family(VkQueueFlags flags, std::uint32_t timestamp_bits) {
  VkQueueFamilyProperties properties{};
  properties.queueFlags = flags;
  properties.timestampValidBits = timestamp_bits;
  return properties;
}

TEST(ComputeFamily, IsWithoutGraphicsWhereBarriersOfGraphicsCost) {
  constexpr VkQueueFlags kBoth = VK_QUEUE_GRAPHICS_BIT | VK_QUEUE_COMPUTE_BIT;
  const std::vector<VkQueueFamilyProperties> families = {family(VK_QUEUE_TRANSFER_BIT, 64), family(kBoth, 64),
                                                         family(VK_QUEUE_COMPUTE_BIT, 64)};
  EXPECT_EQ(find_compute_family(families, kVendorAmd), 2);
  EXPECT_EQ(find_compute_family(families, kVendorIntel), 2);
  EXPECT_EQ(find_compute_family(families, kVendorNvidia), 1);
  // Timestamps count more.
  const std::vector<VkQueueFamilyProperties> blind = {family(kBoth, 36), family(VK_QUEUE_COMPUTE_BIT, 0)};
  EXPECT_EQ(find_compute_family(blind, kVendorAmd), 0);
  EXPECT_EQ(find_compute_family({family(VK_QUEUE_COMPUTE_BIT, 0)}, kVendorNvidia), 0);
  EXPECT_EQ(find_compute_family({family(VK_QUEUE_TRANSFER_BIT, 64)}, kVendorAmd), -1);
  EXPECT_EQ(find_compute_family({}, kVendorAmd), -1);
}

TEST(MatrixUnits, AreBelievedWhereTheHardwareHasThem) {
  struct Device {
    VkDriverId driver;
    const char* name;
    bool mixed_dot_product;
    std::uint32_t subgroup_size;
    bool has_units;
  };
  for (const Device& device :
       {Device{VK_DRIVER_ID_AMD_PROPRIETARY, "RX 6800 XT", false, 64, false},
        {VK_DRIVER_ID_AMD_OPEN_SOURCE, "Radeon Graphics", false, 64, false},
        {VK_DRIVER_ID_AMD_PROPRIETARY, "RX 7900 XTX", true, 64, true},
        {VK_DRIVER_ID_MESA_RADV, "RX 6800 XT (RADV NAVI21)", false, 64, true},
        {VK_DRIVER_ID_NVIDIA_PROPRIETARY, "NVIDIA GeForce GTX 1660 Ti", true, 32, false},
        {VK_DRIVER_ID_NVIDIA_PROPRIETARY, "NVIDIA H100 80GB HBM3", true, 32, true},
        {VK_DRIVER_ID_MESA_LLVMPIPE, "llvmpipe (512 bits)", false, 16, false},
        {VK_DRIVER_ID_MESA_LLVMPIPE, "llvmpipe (256 bits)", false, 8, true}}) {
    VkPhysicalDeviceProperties core{};
    std::string(device.name).copy(core.deviceName, sizeof(core.deviceName) - 1);
    VkPhysicalDeviceVulkan11Properties vulkan11{};
    vulkan11.subgroupSize = device.subgroup_size;
    VkPhysicalDeviceVulkan12Properties vulkan12{};
    vulkan12.driverID = device.driver;
    VkPhysicalDeviceVulkan13Properties vulkan13{};
    vulkan13.integerDotProduct4x8BitPackedMixedSignednessAccelerated =
        device.mixed_dot_product ? VK_TRUE : VK_FALSE;
    EXPECT_EQ(has_matrix_units(core, vulkan11, vulkan12, vulkan13), device.has_units) << device.name;
  }
}

}  // namespace
}  // namespace vkgpt::vk
