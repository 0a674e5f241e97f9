#pragma once

#include <vector>

#include "vkgpt/ops/matmul/matmul_kernel.hpp"
#include "vkgpt/plan/plan_builder.hpp"

#include "ops/matmul/matmul_product.hpp"

// How a product gets its kernel.

namespace vkgpt::ops {

/// Every kernel that can do the product, the one to take without a measurement first: those of the device's
/// order of backends, then those that only a measurement chooses.
std::vector<MatmulKernel> matmul_kernels(const vk::Target& target, const Product& product);

/// Appends the product by the kernel that was measured to be the best, else by the first of `matmul_kernels`.
void append_product(plan::PlanBuilder& builder, const Product& product);

/// Appends the product by one of its kernels.
void append_product(plan::PlanBuilder& builder, const Product& product, const MatmulKernel& kernel);

}  // namespace vkgpt::ops
