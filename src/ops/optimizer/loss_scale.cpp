#include "vkgpt/ops/optimizer/loss_scale.hpp"

#include <utility>

#include "vkgpt/core/check.hpp"

namespace vkgpt::ops {

plan::Tensor loss_scale_state(plan::PlanBuilder& builder) {
  return builder.persistent("loss_scale", {4}, plan::Role::kOptimizer, DType::kU32);
}

void loss_scale_update(plan::PlanBuilder& builder, const plan::Tensor& state, const plan::Tensor& norm,
                       const LossScaling& scaling) {
  VKGPT_CHECK(state.shape == Shape{4} && state.dtype == DType::kU32, "state {}", state.shape.to_string());
  VKGPT_CHECK(norm.shape == Shape{4} && norm.dtype == DType::kU32, "norm {}", norm.shape.to_string());
  plan::Dispatch dispatch;
  dispatch.kernel.stem = "loss_scale_update";
  dispatch.bindings = {plan::read_write(state), plan::read(norm)};
  dispatch.push = plan::PushWords{}.f32(scaling.min, scaling.max).u32(scaling.growth_interval);
  dispatch.cost.flops = 1;
  builder.dispatch(std::move(dispatch));
}

}  // namespace vkgpt::ops
