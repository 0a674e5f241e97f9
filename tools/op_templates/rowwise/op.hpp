#pragma once

#include "vkgpt/plan/plan_builder.hpp"

namespace vkgpt::ops {

/// y = x / sqrt(mean(x^2) + eps) over the last dimension; x and y of one shape and one type, f32, f16 or
/// bf16.
void NAME_forward(plan::PlanBuilder& builder, const plan::Tensor& x, const plan::Tensor& y,
                  float eps = 1e-5F);

/// Its gradient, dx; all of one shape and type.
void NAME_backward(plan::PlanBuilder& builder, const plan::Tensor& dy, const plan::Tensor& x,
                   const plan::Tensor& dx, float eps = 1e-5F);

}  // namespace vkgpt::ops
