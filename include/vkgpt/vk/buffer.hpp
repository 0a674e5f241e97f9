#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include <volk.h>

#include "vkgpt/vk/device.hpp"

typedef struct VmaAllocation_T* VmaAllocation;

namespace vkgpt::vk {

enum class MemoryKind {
  kDevice,    // device-local, filled by copies
  kUpload,    // host-visible, written by the host and read by the device
  kReadback,  // host-visible and cached, written by the device and read by the host
};

/// A storage buffer with its memory. Host-visible kinds stay mapped.
class Buffer {
 public:
  Buffer() = default;
  /// `bytes` > 0. Fails with the size and the name when memory is short. The content is undefined.
  Buffer(const Device& device, std::uint64_t bytes, MemoryKind kind, std::string_view name);
  ~Buffer();
  Buffer(Buffer&& other) noexcept;
  Buffer& operator=(Buffer&& other) noexcept;

  VkBuffer handle() const { return buffer_; }
  std::uint64_t size() const { return size_; }
  /// Null for `kDevice`.
  std::byte* mapped() const { return mapped_; }
  /// Makes host writes visible to the device (a no-op on coherent memory).
  void flush() const;
  /// Makes device writes visible to the host (a no-op on coherent memory).
  void invalidate() const;

 private:
  void release() noexcept;

  const Device* device_ = nullptr;
  VkBuffer buffer_ = VK_NULL_HANDLE;
  VmaAllocation allocation_ = nullptr;
  std::uint64_t size_ = 0;
  std::byte* mapped_ = nullptr;
};

}  // namespace vkgpt::vk
