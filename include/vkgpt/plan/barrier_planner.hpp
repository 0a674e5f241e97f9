#pragma once

#include <cstddef>
#include <vector>

#include "vkgpt/plan/memory_planner.hpp"
#include "vkgpt/plan/plan.hpp"

namespace vkgpt::plan {

/// For one segment: indices of the dispatches that need a barrier before them. Dispatches between two
/// barriers form a group without hazards among them.
using BarrierPlan = std::vector<std::size_t>;

/// The fewest barriers that order every read-after-write, write-after-read and write-after-write hazard of
/// the segment in its given order. Hazards are found on byte ranges after memory planning, so that tensors
/// that share arena bytes are ordered too. The recording starts with a barrier of its own.
BarrierPlan plan_barriers(const Plan& plan, const Segment& segment, const MemoryPlan& memory);

}  // namespace vkgpt::plan
