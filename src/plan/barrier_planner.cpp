#include "vkgpt/plan/barrier_planner.hpp"

#include <algorithm>
#include <map>
#include <utility>

#include "vkgpt/core/check.hpp"

namespace vkgpt::plan {
namespace {

/// A piece of memory: arena tensors are known by their arena, all others by themselves.
struct Extent {
  std::pair<bool, std::uint32_t> space;  // (is an arena, arena or tensor index)
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
  bool writes = false;
};

Extent extent_of(const Plan& plan, const MemoryPlan& memory, const Binding& binding) {
  Extent extent{{false, static_cast<std::uint32_t>(binding.tensor)}, binding.offset, 0, binding.writes()};
  if (plan.tensor(binding.tensor).storage == Storage::kTransient) {
    const Placement& placement = memory.placements.at(binding.tensor);
    extent.space = {true, placement.arena};
    extent.begin += placement.offset;
  }
  extent.end = extent.begin + binding.size;
  return extent;
}

bool conflict(const Extent& a, const Extent& b) {
  return (a.writes || b.writes) && a.space == b.space && a.begin < b.end && b.begin < a.end;
}

}  // namespace

BarrierPlan plan_barriers(const Plan& plan, const Segment& segment, const MemoryPlan& memory) {
  BarrierPlan barriers;
  std::vector<Extent> group;  // what the dispatches since the last barrier touch
  for (std::size_t i = 0; i < segment.dispatches.size(); ++i) {
    std::vector<Extent> extents;
    for (const Binding& binding : segment.dispatches[i].bindings) {
      extents.push_back(extent_of(plan, memory, binding));
    }
    const bool hazard = std::ranges::any_of(extents, [&](const Extent& mine) {
      return std::ranges::any_of(group, [&](const Extent& other) { return conflict(mine, other); });
    });
    if (hazard) {
      barriers.push_back(i);
      group.clear();
    }
    group.insert(group.end(), extents.begin(), extents.end());
  }
  return barriers;
}

}  // namespace vkgpt::plan
