#include "support/device_faults.hpp"

#include <algorithm>
#include <string_view>
#include <utility>

#include "gpu_context.hpp"

namespace vkgpt::test {
namespace {

struct State {
  std::vector<std::int64_t> at;
  std::int64_t calls = 0;
  int losses = 0;
  bool is_lost = false;
  PFN_vkGetDeviceProcAddr device_proc = nullptr;
  PFN_vkCreateDevice create_device = nullptr;
};

State g_state;

/// Whether the call that begins finds the device lost.
bool loses() {
  ++g_state.calls;
  if (!g_state.is_lost && std::ranges::contains(g_state.at, g_state.calls)) {
    g_state.is_lost = true;
    ++g_state.losses;
  }
  return g_state.is_lost;
}

/// What a function does besides its work: count, or wait, which it does on a lost device too, since in truth
/// the device works on.
enum class Kind { kCounts, kCountsAndWaits, kWaits, kNeither };

/// A function of the driver behind the counter.
template <typename Function, Kind kKind>
struct Wrapped;

template <typename... Args, Kind kKind>
struct Wrapped<VkResult (*)(Args...), kKind> {
  template <int kIndex>
  static VKAPI_ATTR VkResult VKAPI_CALL call(Args... args) {
    constexpr bool kCounts = kKind == Kind::kCounts || kKind == Kind::kCountsAndWaits;
    constexpr bool kWaits = kKind == Kind::kWaits || kKind == Kind::kCountsAndWaits;
    const bool is_lost = kCounts ? loses() : g_state.is_lost;
    if (is_lost && !kWaits) return VK_ERROR_DEVICE_LOST;
    const VkResult result = real<kIndex>(args...);
    return is_lost ? VK_ERROR_DEVICE_LOST : result;
  }
  template <int kIndex>
  static inline VkResult (*real)(Args...) = nullptr;
};

PFN_vkVoidFunction VKAPI_CALL device_proc(VkDevice device, const char* name) {
  const PFN_vkVoidFunction found = g_state.device_proc(device, name);
  const std::string_view wanted = name;
#define VKGPT_WRAP(function, kind)                                                  \
  if (wanted == #function) {                                                        \
    using Wrapper = Wrapped<PFN_##function, kind>;                                  \
    Wrapper::real<__LINE__> = reinterpret_cast<PFN_##function>(found);              \
    return reinterpret_cast<PFN_vkVoidFunction>(&Wrapper::template call<__LINE__>); \
  }
  VKGPT_WRAP(vkQueueSubmit2, Kind::kCounts)
  VKGPT_WRAP(vkWaitSemaphores, Kind::kCountsAndWaits)
  VKGPT_WRAP(vkAllocateMemory, Kind::kCounts)
  VKGPT_WRAP(vkGetQueryPoolResults, Kind::kCounts)
  VKGPT_WRAP(vkGetSemaphoreCounterValue, Kind::kNeither)
  VKGPT_WRAP(vkQueueWaitIdle, Kind::kWaits)
  VKGPT_WRAP(vkDeviceWaitIdle, Kind::kWaits)
#undef VKGPT_WRAP
  return found;
}

VKAPI_ATTR VkResult VKAPI_CALL create_device(VkPhysicalDevice physical, const VkDeviceCreateInfo* info,
                                             const VkAllocationCallbacks* allocator, VkDevice* device) {
  if (loses()) return VK_ERROR_DEVICE_LOST;
  return g_state.create_device(physical, info, allocator, device);
}

}  // namespace

DeviceFaults::DeviceFaults(std::vector<std::int64_t> at) {
  g_state = {};
  g_state.at = std::move(at);
}

DeviceFaults::~DeviceFaults() {
  g_state = {};
}

std::unique_ptr<vk::Context> DeviceFaults::open() {
  return open_unvalidated([] {
    g_state.is_lost = false;
    g_state.device_proc = std::exchange(vkGetDeviceProcAddr, device_proc);
    g_state.create_device = std::exchange(vkCreateDevice, create_device);
  });
}

std::int64_t DeviceFaults::calls() const {
  return g_state.calls;
}

int DeviceFaults::losses() const {
  return g_state.losses;
}

}  // namespace vkgpt::test
