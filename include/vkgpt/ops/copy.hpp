#pragma once

#include "vkgpt/plan/plan_builder.hpp"

namespace vkgpt::ops {

/// y = x, bit for bit. Different tensors of one type (f32, f16, bf16) and element count, of any shapes.
void copy(plan::PlanBuilder& builder, const plan::Tensor& x, const plan::Tensor& y);

}  // namespace vkgpt::ops
