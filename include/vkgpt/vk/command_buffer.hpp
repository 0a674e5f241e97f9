#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include <volk.h>

#include "vkgpt/vk/device.hpp"
#include "vkgpt/vk/pipeline.hpp"

namespace vkgpt::vk {

/// The target of one storage buffer descriptor.
struct BufferRange {
  VkBuffer buffer = VK_NULL_HANDLE;
  std::uint64_t offset = 0;
  std::uint64_t size = 0;
};

/// Descriptor sets for a known number of dispatches and bindings; all are freed together.
class DescriptorPool {
 public:
  DescriptorPool() = default;
  DescriptorPool(const Device& device, std::uint32_t sets, std::uint32_t bindings);
  ~DescriptorPool();
  DescriptorPool(DescriptorPool&& other) noexcept;
  DescriptorPool& operator=(DescriptorPool&& other) noexcept;

  VkDescriptorSet allocate(const Pipeline& pipeline, std::span<const BufferRange> ranges);

 private:
  const Device* device_ = nullptr;
  VkDescriptorPool pool_ = VK_NULL_HANDLE;
};

/// A primary command buffer with a pool of its own, recorded once and submitted any number of times, but not
/// again before its last submission has completed.
class CommandBuffer {
 public:
  CommandBuffer() = default;
  CommandBuffer(const Device& device, std::string_view name);
  ~CommandBuffer();
  CommandBuffer(CommandBuffer&& other) noexcept;
  CommandBuffer& operator=(CommandBuffer&& other) noexcept;

  VkCommandBuffer handle() const { return commands_; }

  /// Starts recording; the first command is a full barrier against earlier submissions (compute, transfer and
  /// host writes become visible to compute and transfer).
  void begin();
  /// Ends recording; device writes become visible to the host.
  void end();

  /// Compute (and transfer) writes before are visible to compute and transfer after; reads before end first.
  void barrier();
  /// The same where there are dispatches alone on both sides: masks of transfers make some drivers flush
  /// more.
  void barrier_of_dispatches();
  void dispatch(const Pipeline& pipeline, VkDescriptorSet set, std::span<const std::uint32_t> push,
                std::array<std::uint32_t, 3> groups);
  void copy(const BufferRange& from, const BufferRange& to);
  void fill(const BufferRange& range, std::uint32_t word);
  void write_timestamp(VkQueryPool pool, std::uint32_t query);
  void reset_queries(VkQueryPool pool, std::uint32_t first, std::uint32_t count);
  void begin_label(std::string_view label);
  void end_label();

 private:
  const Device* device_ = nullptr;
  VkCommandPool pool_ = VK_NULL_HANDLE;
  VkCommandBuffer commands_ = VK_NULL_HANDLE;
};

}  // namespace vkgpt::vk
