#pragma once

#include <vector>

#include "vkgpt/ops/matmul/matmul_kernel.hpp"
#include "vkgpt/ops/matmul/matmul_key.hpp"
#include "vkgpt/plan/plan_builder.hpp"

// A tuner's view of the matmul ops: it finds the keys of a plan's products in `plan::Dispatch::work`.

namespace vkgpt::ops {

/// Every kernel that can do the product on the target, the one that is taken without a measurement first.
std::vector<MatmulKernel> matmul_candidates(const vk::Target& target, const MatmulKey& key);

/// Appends the product on tensors of its own, the same for every call on one builder.
void append_matmul(plan::PlanBuilder& builder, const MatmulKey& key, const MatmulKernel& kernel);

}  // namespace vkgpt::ops
