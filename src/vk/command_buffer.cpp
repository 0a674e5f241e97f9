#include "vkgpt/vk/command_buffer.hpp"

#include <format>
#include <string>
#include <utility>
#include <vector>

#include "vkgpt/core/check.hpp"
#include "vkgpt/vk/result.hpp"

namespace vkgpt::vk {
namespace {

constexpr VkPipelineStageFlags2 kWorkStages =
    VK_PIPELINE_STAGE_2_COMPUTE_SHADER_BIT | VK_PIPELINE_STAGE_2_ALL_TRANSFER_BIT;
constexpr VkAccessFlags2 kWorkWrites = VK_ACCESS_2_SHADER_STORAGE_WRITE_BIT | VK_ACCESS_2_TRANSFER_WRITE_BIT;
constexpr VkAccessFlags2 kWorkReads = VK_ACCESS_2_SHADER_STORAGE_READ_BIT | VK_ACCESS_2_TRANSFER_READ_BIT;

void memory_barrier(const Device& device, VkCommandBuffer commands, VkPipelineStageFlags2 src_stages,
                    VkAccessFlags2 src_access, VkPipelineStageFlags2 dst_stages, VkAccessFlags2 dst_access) {
  const VkMemoryBarrier2 barrier = {.sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER_2,
                                    .pNext = nullptr,
                                    .srcStageMask = src_stages,
                                    .srcAccessMask = src_access,
                                    .dstStageMask = dst_stages,
                                    .dstAccessMask = dst_access};
  VkDependencyInfo info{};
  info.sType = VK_STRUCTURE_TYPE_DEPENDENCY_INFO;
  info.memoryBarrierCount = 1;
  info.pMemoryBarriers = &barrier;
  device.table().vkCmdPipelineBarrier2(commands, &info);
}

}  // namespace

CommandBuffer::CommandBuffer(const Device& device, std::string_view name) : device_(&device) {
  const VkCommandPoolCreateInfo pool_info = {.sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO,
                                             .pNext = nullptr,
                                             .flags = 0,
                                             .queueFamilyIndex = device.queue_family()};
  VK_CHECK(device.table().vkCreateCommandPool(device.handle(), &pool_info, nullptr, &pool_), name);
  try {
    const VkCommandBufferAllocateInfo info = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
                                              .pNext = nullptr,
                                              .commandPool = pool_,
                                              .level = VK_COMMAND_BUFFER_LEVEL_PRIMARY,
                                              .commandBufferCount = 1};
    VK_CHECK(device.table().vkAllocateCommandBuffers(device.handle(), &info, &commands_), name);
    device.set_name(VK_OBJECT_TYPE_COMMAND_BUFFER, reinterpret_cast<std::uint64_t>(commands_), name);
  } catch (...) {
    device.table().vkDestroyCommandPool(device.handle(), pool_, nullptr);
    throw;
  }
}

CommandBuffer::~CommandBuffer() {
  if (pool_ != VK_NULL_HANDLE) device_->table().vkDestroyCommandPool(device_->handle(), pool_, nullptr);
}

CommandBuffer::CommandBuffer(CommandBuffer&& other) noexcept
    : device_(std::exchange(other.device_, nullptr)),
      pool_(std::exchange(other.pool_, VK_NULL_HANDLE)),
      commands_(std::exchange(other.commands_, VK_NULL_HANDLE)) {}

CommandBuffer& CommandBuffer::operator=(CommandBuffer&& other) noexcept {
  std::swap(device_, other.device_);
  std::swap(pool_, other.pool_);
  std::swap(commands_, other.commands_);
  return *this;
}

void CommandBuffer::begin() {
  VK_CHECK(device_->table().vkResetCommandPool(device_->handle(), pool_, 0));
  VkCommandBufferBeginInfo info{};
  info.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO;
  VK_CHECK(device_->table().vkBeginCommandBuffer(commands_, &info));
  memory_barrier(*device_, commands_, kWorkStages | VK_PIPELINE_STAGE_2_HOST_BIT,
                 kWorkWrites | VK_ACCESS_2_HOST_WRITE_BIT, kWorkStages, kWorkReads | kWorkWrites);
}

void CommandBuffer::end() {
  memory_barrier(*device_, commands_, kWorkStages, kWorkWrites, VK_PIPELINE_STAGE_2_HOST_BIT,
                 VK_ACCESS_2_HOST_READ_BIT);
  VK_CHECK(device_->table().vkEndCommandBuffer(commands_));
}

void CommandBuffer::barrier() {
  memory_barrier(*device_, commands_, kWorkStages, kWorkWrites, kWorkStages, kWorkReads | kWorkWrites);
}

void CommandBuffer::barrier_of_dispatches() {
  memory_barrier(*device_, commands_, VK_PIPELINE_STAGE_2_COMPUTE_SHADER_BIT,
                 VK_ACCESS_2_SHADER_STORAGE_WRITE_BIT, VK_PIPELINE_STAGE_2_COMPUTE_SHADER_BIT,
                 VK_ACCESS_2_SHADER_STORAGE_READ_BIT | VK_ACCESS_2_SHADER_STORAGE_WRITE_BIT);
}

void CommandBuffer::dispatch(const Pipeline& pipeline, VkDescriptorSet set,
                             std::span<const std::uint32_t> push, std::array<std::uint32_t, 3> groups) {
  const std::array<std::uint32_t, 3>& most = device_->caps().max_workgroup_count;
  for (std::size_t i = 0; i < 3; ++i) {
    VKGPT_CHECK(groups[i] > 0 && groups[i] <= most[i], "{} workgroups in dimension {}", groups[i], i);
  }
  const VolkDeviceTable& table = device_->table();
  table.vkCmdBindPipeline(commands_, VK_PIPELINE_BIND_POINT_COMPUTE, pipeline.pipeline);
  if (set != VK_NULL_HANDLE) {
    table.vkCmdBindDescriptorSets(commands_, VK_PIPELINE_BIND_POINT_COMPUTE, pipeline.layout, 0, 1, &set, 0,
                                  nullptr);
  }
  if (!push.empty()) {
    table.vkCmdPushConstants(commands_, pipeline.layout, VK_SHADER_STAGE_COMPUTE_BIT, 0,
                             static_cast<std::uint32_t>(push.size_bytes()), push.data());
  }
  table.vkCmdDispatch(commands_, groups[0], groups[1], groups[2]);
}

void CommandBuffer::copy(const BufferRange& from, const BufferRange& to) {
  VKGPT_CHECK(from.size == to.size && from.size > 0, "{} bytes to {}", from.size, to.size);
  const VkBufferCopy region = {.srcOffset = from.offset, .dstOffset = to.offset, .size = from.size};
  device_->table().vkCmdCopyBuffer(commands_, from.buffer, to.buffer, 1, &region);
}

void CommandBuffer::fill(const BufferRange& range, std::uint32_t word) {
  VKGPT_CHECK(range.offset % 4 == 0 && range.size % 4 == 0 && range.size > 0, "{} bytes at {}", range.size,
              range.offset);
  device_->table().vkCmdFillBuffer(commands_, range.buffer, range.offset, range.size, word);
}

void CommandBuffer::write_timestamp(VkQueryPool pool, std::uint32_t query) {
  device_->table().vkCmdWriteTimestamp2(commands_, VK_PIPELINE_STAGE_2_ALL_COMMANDS_BIT, pool, query);
}

void CommandBuffer::reset_queries(VkQueryPool pool, std::uint32_t first, std::uint32_t count) {
  device_->table().vkCmdResetQueryPool(commands_, pool, first, count);
}

void CommandBuffer::begin_label(std::string_view label) {
  if (!device_->instance().has_debug_utils()) return;
  const std::string text(label);
  VkDebugUtilsLabelEXT info{};
  info.sType = VK_STRUCTURE_TYPE_DEBUG_UTILS_LABEL_EXT;
  info.pLabelName = text.c_str();
  vkCmdBeginDebugUtilsLabelEXT(commands_, &info);
}

void CommandBuffer::end_label() {
  if (device_->instance().has_debug_utils()) vkCmdEndDebugUtilsLabelEXT(commands_);
}

}  // namespace vkgpt::vk
