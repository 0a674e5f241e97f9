#pragma once

#include <cstdint>

#include "vkgpt/plan/plan_builder.hpp"

namespace vkgpt::ops {

/// Sets every element of `t` (any shape and type) to `bits`, of which 16-bit elements take the lower half.
void fill(plan::PlanBuilder& builder, const plan::Tensor& t, std::uint32_t bits);

/// Zeros `t`: gradients and loss accumulators before the first micro-step.
void zero(plan::PlanBuilder& builder, const plan::Tensor& t);

}  // namespace vkgpt::ops
