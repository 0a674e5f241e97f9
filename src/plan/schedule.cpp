#include "vkgpt/plan/schedule.hpp"

#include <algorithm>
#include <utility>

namespace vkgpt::plan {
namespace {

// Kernels read words of 16 bytes, and caches lines of up to 256, whatever the least is that a driver asks.
constexpr std::uint64_t kAlignment = 256;

}  // namespace

Schedule make_schedule(Plan plan, const vk::DeviceCaps& caps) {
  Schedule schedule{std::move(plan), {}, {}};
  schedule.memory = plan_memory(
      schedule.plan, std::max(kAlignment, caps.storage_buffer_alignment), caps.max_allocation_bytes,
      caps.type == vk::DeviceType::kDiscrete ? HostMemory::kApart : HostMemory::kShared);
  for (const Segment& segment : schedule.plan.segments) {
    schedule.barriers.push_back(plan_barriers(schedule.plan, segment, schedule.memory));
  }
  return schedule;
}

}  // namespace vkgpt::plan
