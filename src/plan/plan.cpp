#include "vkgpt/plan/plan.hpp"

#include "vkgpt/core/check.hpp"

namespace vkgpt::plan {

std::string_view role_name(Role role) {
  switch (role) {
    case Role::kParameters:
      return "parameters";
    case Role::kGradients:
      return "gradients";
    case Role::kOptimizer:
      return "optimizer";
    case Role::kActivations:
      return "activations";
    case Role::kCache:
      return "cache";
    case Role::kInputs:
      return "inputs";
    case Role::kResults:
      return "results";
    case Role::kConstants:
      return "constants";
    case Role::kStatistics:
      return "statistics";
  }
  return "?";
}

const TensorInfo& Plan::tensor(TensorId id) const {
  const auto index = static_cast<std::size_t>(id);
  VKGPT_CHECK(index < tensors.size(), "tensor {} of {}", index, tensors.size());
  return tensors[index];
}

const Segment& Plan::segment(std::string_view name) const {
  for (const Segment& segment : segments) {
    if (segment.name == name) return segment;
  }
  VKGPT_CHECK(false, "the plan has no segment {}", name);
  __builtin_unreachable();
}

Tensor Plan::find(std::string_view name) const {
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    if (tensors[i].name == name) return {TensorId(i), tensors[i].shape, tensors[i].dtype};
  }
  VKGPT_CHECK(false, "the plan has no tensor {}", name);
  __builtin_unreachable();
}

}  // namespace vkgpt::plan
