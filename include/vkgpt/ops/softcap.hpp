#pragma once

#include "vkgpt/plan/plan_builder.hpp"

namespace vkgpt::ops {

/// y = cap * tanh(x / cap) (Gemma 2, arXiv:2408.00118), cap > 0; x and y of one shape, each in f32, f16 or
/// bf16. It is for the logits of a decoder: in training `cross_entropy_fused` caps them.
void softcap_forward(plan::PlanBuilder& builder, const plan::Tensor& x, const plan::Tensor& y, double cap);

}  // namespace vkgpt::ops
