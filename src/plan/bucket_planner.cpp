#include "vkgpt/plan/bucket_planner.hpp"

#include <algorithm>
#include <map>
#include <utility>

namespace vkgpt::plan {
namespace {

bool feeds(const Binding& written, const Binding& read) {
  return written.writes() && read.reads() && written.tensor == read.tensor &&
         written.offset < read.offset + read.size && read.offset < written.offset + written.size;
}

/// Dispatches of `segment` up to the last one that writes what `send` reads.
std::size_t ready_after(const Segment& segment, const Dispatch& send) {
  for (std::size_t i = segment.dispatches.size(); i > 0; --i) {
    for (const Binding& written : segment.dispatches[i - 1].bindings) {
      if (std::ranges::any_of(send.bindings, [&](const Binding& read) { return feeds(written, read); })) {
        return i;
      }
    }
  }
  return 0;
}

}  // namespace

std::vector<Cut> add_sends(Plan& plan, std::string_view segment, std::string_view sends, std::string name) {
  const Segment from = plan.segment(segment);
  const Segment packs = plan.segment(sends);
  std::vector<std::pair<std::size_t, std::size_t>> order;  // when ready, which
  for (std::size_t i = 0; i < packs.dispatches.size(); ++i) {
    order.emplace_back(ready_after(from, packs.dispatches[i]), i);
  }
  std::ranges::sort(order);

  std::map<TensorId, TensorId> own;  // transient tensors
  Segment added{.name = std::move(name), .dispatches = {}};
  std::vector<Cut> cuts;
  const auto append = [&](Dispatch dispatch) {
    for (Binding& binding : dispatch.bindings) {
      if (plan.tensor(binding.tensor).storage != Storage::kTransient) continue;
      const auto [found, is_new] = own.try_emplace(binding.tensor, TensorId(plan.tensors.size()));
      if (is_new) {
        TensorInfo copy = plan.tensor(binding.tensor);
        copy.root = found->second;
        plan.tensors.push_back(std::move(copy));
      }
      binding.tensor = found->second;
    }
    added.dispatches.push_back(std::move(dispatch));
  };
  auto next = order.begin();
  for (std::size_t i = 0; i <= from.dispatches.size(); ++i) {
    for (; next != order.end() && next->first == i; ++next) {
      append(packs.dispatches[next->second]);
      cuts.push_back({.end = added.dispatches.size(), .send = next->second});
    }
    if (i < from.dispatches.size()) append(from.dispatches[i]);
  }
  plan.segments.push_back(std::move(added));
  return cuts;
}

}  // namespace vkgpt::plan
