#pragma once

#include <functional>
#include <span>

#include "vkgpt/plan/executor.hpp"
#include "vkgpt/plan/plan.hpp"

namespace vkgpt::train {

/// The largest of share, share / 2, share / 4, ... with whose plan no dispatch takes longer than `budget_ns`,
/// by the time that its kernel took for the same work in `times`; where there is none, the one that comes
/// closest. Kernels far below the budget are not looked at. `plan_of` makes the plan of a share
/// (`DeviceCaps::dispatch_share`).
double share_within(std::span<const plan::DispatchTime> times, double budget_ns, double share,
                    const std::function<plan::Plan(double)>& plan_of);

}  // namespace vkgpt::train
