#pragma once

#include <cstdint>
#include <string_view>

#include <volk.h>

#include "vkgpt/vk/instance.hpp"
#include "vkgpt/vk/physical_device.hpp"

// VMA's handle, so that its large header stays inside src/vk.
typedef struct VmaAllocator_T* VmaAllocator;

namespace vkgpt::vk {

/// A logical device with one compute queue. Its functions are called through `table()`, which a test may
/// wrap.
class Device {
 public:
  Device(const Instance& instance, const PhysicalDevice& physical);
  ~Device();
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;

  VkDevice handle() const { return device_; }
  VkPhysicalDevice physical() const { return physical_; }
  const VolkDeviceTable& table() const { return table_; }
  VolkDeviceTable& mutable_table() { return table_; }
  const DeviceCaps& caps() const { return target_.caps; }
  const Target& target() const { return target_; }
  /// See `DeviceCaps::dispatch_share`; for plans that are made from now on.
  void set_dispatch_share(double share) { target_.caps.dispatch_share = share; }
  const Instance& instance() const { return instance_; }
  VmaAllocator allocator() const { return allocator_; }
  std::uint32_t queue_family() const { return queue_family_; }
  VkQueue queue() const { return queue_; }
  /// Meaningful low bits of a timestamp; 0 = the queue has none.
  std::uint32_t timestamp_valid_bits() const { return timestamp_valid_bits_; }

  /// Where shaders find a buffer; only with `DeviceCaps::buffer_device_address`.
  std::uint64_t address(VkBuffer buffer) const;

  /// Names an object for debuggers and validation messages; does nothing without VK_EXT_debug_utils.
  void set_name(VkObjectType type, std::uint64_t handle, std::string_view name) const;

 private:
  const Instance& instance_;
  VkPhysicalDevice physical_ = VK_NULL_HANDLE;
  Target target_;
  VkDevice device_ = VK_NULL_HANDLE;
  VolkDeviceTable table_{};
  VmaAllocator allocator_ = nullptr;
  std::uint32_t queue_family_ = 0;
  std::uint32_t timestamp_valid_bits_ = 0;
  VkQueue queue_ = VK_NULL_HANDLE;
};

}  // namespace vkgpt::vk
