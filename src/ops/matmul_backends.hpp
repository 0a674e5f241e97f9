#pragma once

#include <vector>

#include "vkgpt/ops/matmul_kernel.hpp"
#include "vkgpt/plan/plan_builder.hpp"

#include "matmul_product.hpp"

// Every backend has two functions: the kernels that it offers for a product, the one that should be good
// without a measurement first (none where it cannot do the product), and the one that appends a product's
// dispatches by one of these kernels. shaders/README.md has their designs.

namespace vkgpt::ops {

std::vector<MatmulKernel> scalar_kernels(const vk::DeviceCaps& caps, const Product& product,
                                         const Extents& e);
void append_scalar(plan::PlanBuilder& builder, const Product& product, const Extents& e,
                   const MatmulKernel& kernel);

std::vector<MatmulKernel> simt_kernels(const vk::DeviceCaps& caps, const Product& product, const Extents& e);
void append_simt(plan::PlanBuilder& builder, const Product& product, const Extents& e,
                 const MatmulKernel& kernel);

}  // namespace vkgpt::ops
