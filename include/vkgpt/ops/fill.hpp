#pragma once

#include <cstdint>

#include "vkgpt/plan/plan_builder.hpp"

namespace vkgpt::ops {

/// Sets every element of `t` (any shape, a 32-bit type) to the bits `word`.
void fill(plan::PlanBuilder& builder, const plan::Tensor& t, std::uint32_t word);

/// Zeros `t`: gradients and loss accumulators before the first micro-step.
void zero(plan::PlanBuilder& builder, const plan::Tensor& t);

}  // namespace vkgpt::ops
