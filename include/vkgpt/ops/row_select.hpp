#pragma once

#include "vkgpt/plan/plan_builder.hpp"

namespace vkgpt::ops {

/// y[b] = x[b, token_count - 1], with token_count (1 to T) from StepParams: the last real row of every padded
/// sequence. x (B, T, C), y (B, C), both f32, f16 or bf16.
void row_select_forward(plan::PlanBuilder& builder, const plan::Tensor& x, const plan::Tensor& y);

}  // namespace vkgpt::ops
