#pragma once

#include <span>

#include "vkgpt/plan/plan_builder.hpp"

namespace vkgpt::ops {

/// For each of `tensors` (n, any shapes; f32, f16 or bf16; gradients as views of their arena, or one
/// activation tensor under a tap) a row of `result` (n, 4) f32: {norm, max |x|, NaNs, Infs}. Norm and maximum
/// leave out the elements that are not finite.
void grad_stats(plan::PlanBuilder& builder, std::span<const plan::Tensor> tensors,
                const plan::Tensor& result);

}  // namespace vkgpt::ops
