#include "vk/features.hpp"

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

}  // namespace
}  // namespace vkgpt::vk
