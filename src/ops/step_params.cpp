#include "vkgpt/ops/step_params.hpp"

namespace vkgpt::ops {

plan::Tensor step_params(plan::PlanBuilder& builder) {
  return builder.upload("step_params", {sizeof(StepParams) / sizeof(std::uint32_t)}, DType::kU32);
}

}  // namespace vkgpt::ops
