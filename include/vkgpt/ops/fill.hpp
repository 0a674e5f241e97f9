#pragma once

#include <cstdint>
#include <span>

#include "vkgpt/plan/plan_builder.hpp"

namespace vkgpt::ops {

/// Sets every element of `t` (any shape and type) to `bits`, of which 16-bit elements take the lower half.
void fill(plan::PlanBuilder& builder, const plan::Tensor& t, std::uint32_t bits);

/// Zeros `t`.
void zero(plan::PlanBuilder& builder, const plan::Tensor& t);

/// Zeros those parts of `t` that were discarded and that nothing has written since (see
/// `plan::PlanBuilder::discard`): before an op adds to some of its elements.
void zero_discarded(plan::PlanBuilder& builder, const plan::Tensor& t);

/// Whether an op that gives all elements of `sums` adds to what they hold. It stores where all of them are
/// discarded; where only parts are, these are zeroed first.
bool adds_to(plan::PlanBuilder& builder, std::span<const plan::Tensor> sums);

}  // namespace vkgpt::ops
