#pragma once

#include "vkgpt/plan/plan_builder.hpp"

namespace vkgpt::ops {

/// y = scale * x, element by element, between any two of f32, f16 and bf16; the product is fp32 and rounded
/// once, to the nearest, ties to even. What is too large for f16 becomes an infinity; infinities and NaN
/// stay. x and y are different tensors of one element count, of any shapes.
void cast(plan::PlanBuilder& builder, const plan::Tensor& x, const plan::Tensor& y, float scale = 1.0F);

}  // namespace vkgpt::ops
