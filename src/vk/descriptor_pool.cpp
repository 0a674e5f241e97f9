#include <algorithm>
#include <utility>
#include <vector>

#include "vkgpt/core/check.hpp"
#include "vkgpt/vk/command_buffer.hpp"
#include "vkgpt/vk/result.hpp"

namespace vkgpt::vk {

DescriptorPool::DescriptorPool(const Device& device, std::uint32_t sets, std::uint32_t bindings)
    : device_(&device) {
  const VkDescriptorPoolSize size = {.type = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
                                     .descriptorCount = std::max(bindings, 1u)};
  const VkDescriptorPoolCreateInfo info = {.sType = VK_STRUCTURE_TYPE_DESCRIPTOR_POOL_CREATE_INFO,
                                           .pNext = nullptr,
                                           .flags = 0,
                                           .maxSets = std::max(sets, 1u),
                                           .poolSizeCount = 1,
                                           .pPoolSizes = &size};
  VK_CHECK(device.table().vkCreateDescriptorPool(device.handle(), &info, nullptr, &pool_));
}

DescriptorPool::~DescriptorPool() {
  if (pool_ != VK_NULL_HANDLE) device_->table().vkDestroyDescriptorPool(device_->handle(), pool_, nullptr);
}

DescriptorPool::DescriptorPool(DescriptorPool&& other) noexcept
    : device_(std::exchange(other.device_, nullptr)), pool_(std::exchange(other.pool_, VK_NULL_HANDLE)) {}

DescriptorPool& DescriptorPool::operator=(DescriptorPool&& other) noexcept {
  std::swap(device_, other.device_);
  std::swap(pool_, other.pool_);
  return *this;
}

VkDescriptorSet DescriptorPool::allocate(const Pipeline& pipeline, std::span<const BufferRange> ranges) {
  const DeviceCaps& caps = device_->caps();
  const VkDescriptorSetAllocateInfo info = {.sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_ALLOCATE_INFO,
                                            .pNext = nullptr,
                                            .descriptorPool = pool_,
                                            .descriptorSetCount = 1,
                                            .pSetLayouts = &pipeline.set_layout};
  VkDescriptorSet set = VK_NULL_HANDLE;
  VK_CHECK(device_->table().vkAllocateDescriptorSets(device_->handle(), &info, &set));

  std::vector<VkDescriptorBufferInfo> buffers;
  buffers.reserve(ranges.size());
  std::vector<VkWriteDescriptorSet> writes;
  for (const BufferRange& range : ranges) {
    VKGPT_CHECK(range.size > 0 && range.size <= caps.max_storage_buffer_range, "{} bytes at binding {}",
                range.size, buffers.size());
    VKGPT_CHECK(range.offset % caps.storage_buffer_alignment == 0, "offset {} at binding {}", range.offset,
                buffers.size());
    buffers.push_back({range.buffer, range.offset, range.size});
    VkWriteDescriptorSet write{};
    write.sType = VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET;
    write.dstSet = set;
    write.dstBinding = static_cast<std::uint32_t>(writes.size());
    write.descriptorCount = 1;
    write.descriptorType = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER;
    write.pBufferInfo = &buffers.back();
    writes.push_back(write);
  }
  device_->table().vkUpdateDescriptorSets(device_->handle(), static_cast<std::uint32_t>(writes.size()),
                                          writes.data(), 0, nullptr);
  return set;
}

}  // namespace vkgpt::vk
