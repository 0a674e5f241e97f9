#include "vkgpt/plan/schedule.hpp"

#include <utility>

namespace vkgpt::plan {

Schedule make_schedule(Plan plan, const vk::DeviceCaps& caps) {
  Schedule schedule{std::move(plan), {}, {}};
  schedule.memory = plan_memory(schedule.plan, caps.storage_buffer_alignment, caps.max_allocation_bytes);
  for (const Segment& segment : schedule.plan.segments) {
    schedule.barriers.push_back(plan_barriers(schedule.plan, segment, schedule.memory));
  }
  return schedule;
}

}  // namespace vkgpt::plan
