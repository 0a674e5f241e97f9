#pragma once

#include "vkgpt/plan/plan_builder.hpp"

namespace vkgpt::ops {

/// z = x + y; all of one shape, each in f32, f16 or bf16. The gradient of z is that of x and that of y. Where
/// a norm follows, its fused add is cheaper (`norm_forward`).
void residual_forward(plan::PlanBuilder& builder, const plan::Tensor& x, const plan::Tensor& y,
                      const plan::Tensor& z);

}  // namespace vkgpt::ops
