#pragma once

#include <vector>

#include "vkgpt/plan/barrier_planner.hpp"
#include "vkgpt/plan/memory_planner.hpp"
#include "vkgpt/plan/plan.hpp"
#include "vkgpt/vk/device_caps.hpp"

namespace vkgpt::plan {

/// A plan with what the planners made of it: all that a recording needs.
struct Schedule {
  Plan plan;
  MemoryPlan memory;
  std::vector<BarrierPlan> barriers;  // one per segment
};

Schedule make_schedule(Plan plan, const vk::DeviceCaps& caps);

}  // namespace vkgpt::plan
