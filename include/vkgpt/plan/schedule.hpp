#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "vkgpt/plan/barrier_planner.hpp"
#include "vkgpt/plan/bucket_planner.hpp"
#include "vkgpt/plan/memory_planner.hpp"
#include "vkgpt/plan/plan.hpp"
#include "vkgpt/vk/device_caps.hpp"

namespace vkgpt::plan {

/// A plan with what the planners made of it: all that a recording needs.
struct Schedule {
  Plan plan;
  MemoryPlan memory;
  std::vector<BarrierPlan> barriers;                               // one per segment
  std::map<std::string, std::vector<Cut>, std::less<>> cuts = {};  // of segments that have some

  const std::vector<Cut>& cuts_of(std::string_view segment) const {
    static const std::vector<Cut> kNone;
    const auto found = cuts.find(segment);
    return found == cuts.end() ? kNone : found->second;
  }
};

Schedule make_schedule(Plan plan, const vk::DeviceCaps& caps);

}  // namespace vkgpt::plan
