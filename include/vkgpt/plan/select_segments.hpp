#pragma once

#include <span>
#include <string_view>

#include "vkgpt/plan/plan.hpp"

namespace vkgpt::plan {

/// The part of `plan` that has only these segments, and only the memory that they touch: evaluating with the
/// train plan needs neither gradients nor optimizer state.
Plan select_segments(const Plan& plan, std::span<const std::string_view> names);

}  // namespace vkgpt::plan
