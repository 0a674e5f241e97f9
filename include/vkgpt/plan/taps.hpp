#pragma once

#include <functional>
#include <span>
#include <string>

#include "vkgpt/plan/plan_builder.hpp"

namespace vkgpt::plan {

/// Asks to look at a tensor while its segment runs: after the last dispatch that writes it, `emit` may append
/// dispatches that read it (a reduction, a copy to a readback tensor).
struct Tap {
  std::string segment;
  std::string tensor;
  std::function<void(PlanBuilder&, const Tensor&)> emit;
};

/// `plan` with the taps' dispatches added. The plan's own dispatches and their order stay as they are, and
/// tensor ids too; a tapped transient lives until its tap has read it. A tap on a tensor that its segment
/// does not write is a `CheckFailure`.
Plan add_taps(const Plan& plan, const vk::DeviceCaps& caps, std::span<const Tap> taps);

}  // namespace vkgpt::plan
