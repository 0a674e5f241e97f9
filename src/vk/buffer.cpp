#include "vkgpt/vk/buffer.hpp"

#include <string>
#include <utility>

#include "vkgpt/core/check.hpp"
#include "vkgpt/core/error.hpp"
#include "vkgpt/core/format.hpp"
#include "vkgpt/vk/result.hpp"

#include "vk/vma.hpp"

namespace vkgpt::vk {
namespace {

std::string mebibytes(std::uint64_t bytes) {
  return vkgpt::format("{:.1f} MiB", static_cast<double>(bytes) / (1 << 20));
}

VmaAllocationCreateInfo allocation_info(MemoryKind kind, DeviceType type) {
  VmaAllocationCreateInfo info{};
  switch (kind) {
    case MemoryKind::kDevice:
      info.usage = VMA_MEMORY_USAGE_AUTO_PREFER_DEVICE;
      // What does not fit a card's memory would go to the host's, without a word and many times slower.
      if (type == DeviceType::kDiscrete) info.requiredFlags = VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT;
      break;
    case MemoryKind::kUpload:
      info.usage = VMA_MEMORY_USAGE_AUTO_PREFER_HOST;
      info.flags = VMA_ALLOCATION_CREATE_HOST_ACCESS_SEQUENTIAL_WRITE_BIT | VMA_ALLOCATION_CREATE_MAPPED_BIT;
      break;
    case MemoryKind::kReadback:
      info.usage = VMA_MEMORY_USAGE_AUTO_PREFER_HOST;
      info.flags = VMA_ALLOCATION_CREATE_HOST_ACCESS_RANDOM_BIT | VMA_ALLOCATION_CREATE_MAPPED_BIT;
      break;
  }
  return info;
}

}  // namespace

Buffer::Buffer(const Device& device, std::uint64_t bytes, MemoryKind kind, std::string_view name)
    : device_(&device), size_(bytes) {
  VKGPT_CHECK(bytes > 0, "buffer '{}'", name);
  const DeviceCaps& caps = device.caps();
  if (bytes > caps.max_allocation_bytes) {
    fail("buffer '{}' needs {}, but {} allows {} at once: use a smaller model or batch", name,
         mebibytes(bytes), caps.name, mebibytes(caps.max_allocation_bytes));
  }
  VkBufferCreateInfo info{};
  info.sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO;
  info.size = bytes;
  info.usage = VK_BUFFER_USAGE_STORAGE_BUFFER_BIT | VK_BUFFER_USAGE_TRANSFER_SRC_BIT |
               VK_BUFFER_USAGE_TRANSFER_DST_BIT;
  if (caps.buffer_device_address) info.usage |= VK_BUFFER_USAGE_SHADER_DEVICE_ADDRESS_BIT;
  info.sharingMode = VK_SHARING_MODE_EXCLUSIVE;
  const VmaAllocationCreateInfo how = allocation_info(kind, caps.type);
  VmaAllocationInfo allocated{};
  const VkResult result =
      vmaCreateBuffer(device.allocator(), &info, &how, &buffer_, &allocation_, &allocated);
  mapped_ = static_cast<std::byte*>(allocated.pMappedData);
  const bool is_unmapped = result == VK_SUCCESS && kind != MemoryKind::kDevice && mapped_ == nullptr;
  if (is_unmapped) release();
  // To an allocator a lost device looks like missing memory.
  if (result != VK_SUCCESS) VK_CHECK(device.table().vkDeviceWaitIdle(device.handle()), name);
  if (is_unmapped || result == VK_ERROR_OUT_OF_DEVICE_MEMORY || result == VK_ERROR_OUT_OF_HOST_MEMORY ||
      result == VK_ERROR_MEMORY_MAP_FAILED) {
    throw OutOfMemory(vkgpt::format(
        "out of memory: buffer '{}' needs {} on {} ({} in all, {} free at start): use a smaller model or "
        "batch",
        name, mebibytes(bytes), caps.name, mebibytes(caps.heap_bytes),
        caps.heap_budget_bytes == 0 ? "an unknown amount" : mebibytes(caps.heap_budget_bytes)));
  }
  check_result(result, "vmaCreateBuffer", name);
  try {
    const std::string text(name);
    vmaSetAllocationName(device.allocator(), allocation_, text.c_str());
    device.set_name(VK_OBJECT_TYPE_BUFFER, reinterpret_cast<std::uint64_t>(buffer_), name);
  } catch (...) {
    release();
    throw;
  }
}

Buffer::~Buffer() {
  release();
}

Buffer::Buffer(Buffer&& other) noexcept
    : device_(std::exchange(other.device_, nullptr)),
      buffer_(std::exchange(other.buffer_, VK_NULL_HANDLE)),
      allocation_(std::exchange(other.allocation_, nullptr)),
      size_(std::exchange(other.size_, 0)),
      mapped_(std::exchange(other.mapped_, nullptr)) {}

Buffer& Buffer::operator=(Buffer&& other) noexcept {
  if (this == &other) return *this;
  release();
  device_ = std::exchange(other.device_, nullptr);
  buffer_ = std::exchange(other.buffer_, VK_NULL_HANDLE);
  allocation_ = std::exchange(other.allocation_, nullptr);
  size_ = std::exchange(other.size_, 0);
  mapped_ = std::exchange(other.mapped_, nullptr);
  return *this;
}

void Buffer::flush() const {
  VK_CHECK(vmaFlushAllocation(device_->allocator(), allocation_, 0, VK_WHOLE_SIZE));
}

void Buffer::invalidate() const {
  VK_CHECK(vmaInvalidateAllocation(device_->allocator(), allocation_, 0, VK_WHOLE_SIZE));
}

void Buffer::release() noexcept {
  if (buffer_ != VK_NULL_HANDLE) vmaDestroyBuffer(device_->allocator(), buffer_, allocation_);
  buffer_ = VK_NULL_HANDLE;
}

}  // namespace vkgpt::vk
