#pragma once

#include <string>
#include <vector>

#include "vkgpt/ops/matmul/matmul_kernel.hpp"
#include "vkgpt/plan/plan_builder.hpp"

#include "ops/matmul/matmul_product.hpp"

// How a product gets its kernel; for the ops and for what times them.

namespace vkgpt::ops {

/// Every kernel that can do the product, the one to take without a measurement first: those of the device's
/// order of backends, then those that only a measurement chooses.
std::vector<MatmulKernel> matmul_kernels(const vk::DeviceCaps& caps, const Product& product,
                                         const Extents& extents);

/// "nt f16 2048x768x768 bias gelu": all that the speed of a product depends on.
std::string matmul_key(const Product& product, const Extents& extents);

/// Appends the product by one of its kernels.
void append_product(plan::PlanBuilder& builder, const Product& product, const Extents& extents,
                    const MatmulKernel& kernel);

/// Tells the `MatmulWatch` of this thread, if there is one.
void note_product(const std::string& key);

}  // namespace vkgpt::ops
