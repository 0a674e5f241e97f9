#pragma once

#include <vector>

#include "vkgpt/ops/backend.hpp"
#include "vkgpt/ops/matmul/matmul_kernel.hpp"
#include "vkgpt/plan/plan_builder.hpp"

#include "ops/matmul/matmul_product.hpp"

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

/// On VK_KHR_cooperative_matrix, for operands of 16 bits, or rounded to them (`operand_dtype`).
std::vector<MatmulKernel> khr_kernels(const vk::DeviceCaps& caps, const Product& product, const Extents& e);
void append_khr(plan::PlanBuilder& builder, const Product& product, const Extents& e,
                const MatmulKernel& kernel);

/// On VK_NV_cooperative_matrix2, for 16-bit operands.
std::vector<MatmulKernel> nv_kernels(const vk::DeviceCaps& caps, const Product& product, const Extents& e);
void append_nv(plan::PlanBuilder& builder, const Product& product, const Extents& e,
               const MatmulKernel& kernel);

/// The kernels of `tiles` (those for the largest products first), also with as much split-K as gives a large
/// device enough to do. The ones that give it most groups are in front; more than enough are equal.
std::vector<MatmulKernel> with_k_splits(const vk::DeviceCaps& caps, const Product& product, const Extents& e,
                                        const std::vector<MatmulKernel>& tiles);

}  // namespace vkgpt::ops
