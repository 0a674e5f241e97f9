#include "support/fenced_memory.hpp"

#include <map>
#include <string_view>
#include <utility>
#include <vector>

#include <sys/mman.h>
#include <unistd.h>

#include "vkgpt/core/check.hpp"

#include "gpu_context.hpp"

namespace vkgpt::test {
namespace {

constexpr std::uint64_t kAlignment = 16;

struct Mapping {
  void* begin;
  std::size_t bytes;
};

struct Fences {
  std::map<VkBuffer, std::uint64_t> sizes;
  std::map<VkDeviceMemory, Mapping> mappings;
  PFN_vkGetDeviceProcAddr device_proc = nullptr;
  PFN_vkCreateDevice create_device = nullptr;
  PFN_vkCreateBuffer create_buffer = nullptr;
  PFN_vkGetBufferMemoryRequirements2 requirements = nullptr;
  PFN_vkAllocateMemory allocate = nullptr;
  PFN_vkFreeMemory free = nullptr;
};

Fences g_fences;

std::uint64_t round_up(std::uint64_t value, std::uint64_t unit) {
  return (value + unit - 1) / unit * unit;
}

/// The structure of type T in the chain of `info`.
template <typename T, typename Info>
T* in_chain(const Info* info, VkStructureType type) {
  for (auto* next = static_cast<const VkBaseInStructure*>(info->pNext); next != nullptr; next = next->pNext) {
    if (next->sType == type) return reinterpret_cast<T*>(const_cast<VkBaseInStructure*>(next));
  }
  return nullptr;
}

VKAPI_ATTR VkResult VKAPI_CALL fenced_create_buffer(VkDevice device, const VkBufferCreateInfo* info,
                                                    const VkAllocationCallbacks* callbacks,
                                                    VkBuffer* buffer) {
  const VkResult result = g_fences.create_buffer(device, info, callbacks, buffer);
  if (result == VK_SUCCESS) g_fences.sizes[*buffer] = info->size;
  return result;
}

VKAPI_ATTR void VKAPI_CALL fenced_requirements(VkDevice device, const VkBufferMemoryRequirementsInfo2* info,
                                               VkMemoryRequirements2* answer) {
  g_fences.requirements(device, info, answer);
  auto* dedicated =
      in_chain<VkMemoryDedicatedRequirements>(answer, VK_STRUCTURE_TYPE_MEMORY_DEDICATED_REQUIREMENTS);
  if (dedicated != nullptr) dedicated->requiresDedicatedAllocation = VK_TRUE;
}

VKAPI_ATTR VkResult VKAPI_CALL fenced_allocate(VkDevice device, const VkMemoryAllocateInfo* info,
                                               const VkAllocationCallbacks* callbacks,
                                               VkDeviceMemory* memory) {
  const auto* dedicated =
      in_chain<VkMemoryDedicatedAllocateInfo>(info, VK_STRUCTURE_TYPE_MEMORY_DEDICATED_ALLOCATE_INFO);
  VKGPT_CHECK(dedicated != nullptr, "{} bytes for no buffer", info->allocationSize);
  const auto page = static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
  const std::uint64_t bytes = round_up(g_fences.sizes.at(dedicated->buffer), kAlignment);
  const std::uint64_t whole = round_up(bytes, page);
  auto* begin = static_cast<std::byte*>(
      mmap(nullptr, whole + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  if (begin == MAP_FAILED) return VK_ERROR_OUT_OF_HOST_MEMORY;
  mprotect(begin + whole, page, PROT_NONE);
  const VkImportMemoryHostPointerInfoEXT import = {
      .sType = VK_STRUCTURE_TYPE_IMPORT_MEMORY_HOST_POINTER_INFO_EXT,
      .pNext = info->pNext,
      .handleType = VK_EXTERNAL_MEMORY_HANDLE_TYPE_HOST_ALLOCATION_BIT_EXT,
      .pHostPointer = begin + (whole - bytes)};
  VkMemoryAllocateInfo ours = *info;
  ours.pNext = &import;
  const VkResult result = g_fences.allocate(device, &ours, callbacks, memory);
  if (result == VK_SUCCESS) {
    g_fences.mappings[*memory] = {begin, whole + page};
  } else {
    munmap(begin, whole + page);
  }
  return result;
}

VKAPI_ATTR void VKAPI_CALL fenced_free(VkDevice device, VkDeviceMemory memory,
                                       const VkAllocationCallbacks* callbacks) {
  g_fences.free(device, memory, callbacks);
  if (const auto found = g_fences.mappings.extract(memory))
    munmap(found.mapped().begin, found.mapped().bytes);
}

PFN_vkVoidFunction VKAPI_CALL fenced_device_proc(VkDevice device, const char* name) {
  const PFN_vkVoidFunction found = g_fences.device_proc(device, name);
  const std::string_view wanted = name;
  const auto wrap = [&](auto& real, auto* wrapper) {
    real = reinterpret_cast<std::remove_reference_t<decltype(real)>>(found);
    return reinterpret_cast<PFN_vkVoidFunction>(wrapper);
  };
  if (wanted == "vkCreateBuffer") return wrap(g_fences.create_buffer, fenced_create_buffer);
  if (wanted == "vkGetBufferMemoryRequirements2") return wrap(g_fences.requirements, fenced_requirements);
  if (wanted == "vkAllocateMemory") return wrap(g_fences.allocate, fenced_allocate);
  if (wanted == "vkFreeMemory") return wrap(g_fences.free, fenced_free);
  return found;
}

VKAPI_ATTR VkResult VKAPI_CALL fenced_create_device(VkPhysicalDevice physical, const VkDeviceCreateInfo* info,
                                                    const VkAllocationCallbacks* callbacks,
                                                    VkDevice* device) {
  std::vector<const char*> extensions(info->ppEnabledExtensionNames,
                                      info->ppEnabledExtensionNames + info->enabledExtensionCount);
  extensions.push_back(VK_EXT_EXTERNAL_MEMORY_HOST_EXTENSION_NAME);
  VkDeviceCreateInfo ours = *info;
  ours.enabledExtensionCount = static_cast<std::uint32_t>(extensions.size());
  ours.ppEnabledExtensionNames = extensions.data();
  return g_fences.create_device(physical, &ours, callbacks, device);
}

}  // namespace

std::unique_ptr<vk::Context> open_fenced() {
  g_fences = {};
  return open_unvalidated([] {
    g_fences.device_proc = std::exchange(vkGetDeviceProcAddr, fenced_device_proc);
    g_fences.create_device = std::exchange(vkCreateDevice, fenced_create_device);
  });
}

}  // namespace vkgpt::test
