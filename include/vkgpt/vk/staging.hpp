#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "vkgpt/vk/buffer.hpp"
#include "vkgpt/vk/command_buffer.hpp"
#include "vkgpt/vk/queue.hpp"

namespace vkgpt::vk {

/// Moves host memory to and from device-local buffers, in pieces through one host-visible buffer. Each call
/// waits until it is done: meant for loading, saving and tests, not for the train step.
class Staging {
 public:
  Staging(const Device& device, Queue& queue, std::uint64_t bytes = 16ull << 20);

  void upload(const Buffer& to, std::uint64_t offset, std::span<const std::byte> data);
  void download(const Buffer& from, std::uint64_t offset, std::span<std::byte> data);
  /// Sets every 32-bit word of the range; offset and size are multiples of 4.
  void fill(const Buffer& to, std::uint64_t offset, std::uint64_t size, std::uint32_t word);

 private:
  Queue& queue_;
  Buffer upload_;
  Buffer readback_;
  CommandBuffer commands_;
};

}  // namespace vkgpt::vk
