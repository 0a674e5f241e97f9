#pragma once

#include "vkgpt/plan/plan_builder.hpp"

namespace vkgpt::ops {

/// hidden[row, j] = 0 unless owners[j] == adapters[row]: of adapters side by side each row keeps the columns
/// of its own. hidden (rows, R) f32, f16 or bf16; owners (R) i32; adapters (rows) i32.
void adapter_select(plan::PlanBuilder& builder, const plan::Tensor& hidden, const plan::Tensor& owners,
                    const plan::Tensor& adapters);

}  // namespace vkgpt::ops
