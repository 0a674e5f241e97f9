#pragma once

#include "vkgpt/plan/plan_builder.hpp"

namespace vkgpt::ops {

/// y = x / (1 + |x|); x and y of one shape and one type, f32, f16 or bf16.
void NAME_forward(plan::PlanBuilder& builder, const plan::Tensor& x, const plan::Tensor& y);

/// dx = dy / (1 + |x|)^2; all of one shape and type.
void NAME_backward(plan::PlanBuilder& builder, const plan::Tensor& dy, const plan::Tensor& x,
                   const plan::Tensor& dx);

}  // namespace vkgpt::ops
