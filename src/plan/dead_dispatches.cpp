#include "vkgpt/plan/dead_dispatches.hpp"

#include <algorithm>
#include <ranges>
#include <set>
#include <vector>

namespace vkgpt::plan {

void drop_dead_dispatches(Plan& plan) {
  for (Segment& segment : plan.segments) {
    std::set<TensorId> read_later;
    std::vector<Dispatch> live;
    for (Dispatch& dispatch : segment.dispatches | std::views::reverse) {
      const bool is_needed = std::ranges::any_of(dispatch.bindings, [&](const Binding& binding) {
        const bool outlives = plan.tensor(binding.tensor).storage != Storage::kTransient;
        return binding.writes() && (outlives || read_later.contains(binding.tensor));
      });
      if (!is_needed) continue;
      for (const Binding& binding : dispatch.bindings) {
        if (binding.reads()) read_later.insert(binding.tensor);
      }
      live.push_back(std::move(dispatch));
    }
    std::ranges::reverse(live);
    segment.dispatches = std::move(live);
  }
}

}  // namespace vkgpt::plan
