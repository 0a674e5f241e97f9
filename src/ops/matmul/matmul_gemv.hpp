#pragma once

#include "vkgpt/plan/plan_builder.hpp"

#include "ops/matmul/matmul_product.hpp"

// Products with a few rows on GPUs, which are as fast as W is read: decoding. Part of the scalar backend. A
// row's bits do not depend on how many there are.

namespace vkgpt::ops {

/// Whether `append_gemv` can do the product and is the best way to.
bool prefers_gemv(const vk::DeviceCaps& caps, const Product& product, const Extents& extents);

void append_gemv(plan::PlanBuilder& builder, const Product& product, const Extents& extents);

}  // namespace vkgpt::ops
