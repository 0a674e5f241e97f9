#include "vkgpt/plan/select_segments.hpp"

#include <map>

namespace vkgpt::plan {

Plan select_segments(const Plan& plan, std::span<const std::string_view> names) {
  Plan selected;
  std::map<TensorId, TensorId> moved;
  const auto move = [&](TensorId id) {
    const auto [found, is_new] = moved.try_emplace(id, TensorId(selected.tensors.size()));
    if (is_new) {
      selected.tensors.push_back(plan.tensor(id));
      selected.tensors.back().root = found->second;
      if (const auto constant = plan.constants.find(id); constant != plan.constants.end()) {
        selected.constants.emplace(found->second, constant->second);
      }
    }
    return found->second;
  };
  for (const std::string_view name : names) {
    selected.segments.push_back(plan.segment(name));
    for (Dispatch& dispatch : selected.segments.back().dispatches) {
      for (Binding& binding : dispatch.bindings) binding.tensor = move(binding.tensor);  // a root tensor
    }
  }
  return selected;
}

}  // namespace vkgpt::plan
