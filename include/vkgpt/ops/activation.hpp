#pragma once

#include "vkgpt/plan/plan_builder.hpp"

namespace vkgpt::ops {

/// y = gelu(x), the tanh form of GPT-2: 0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) (Hendrycks and
/// Gimpel, arXiv:1606.08415). x and y have one shape. The matmul has the same function as an epilogue.
void activation_forward(plan::PlanBuilder& builder, const plan::Tensor& x, const plan::Tensor& y);

/// dx = dy * gelu'(x); all of one shape.
void activation_backward(plan::PlanBuilder& builder, const plan::Tensor& dy, const plan::Tensor& x,
                         const plan::Tensor& dx);

}  // namespace vkgpt::ops
