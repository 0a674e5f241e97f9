#pragma once

#include <cstdint>
#include <functional>

#include "vkgpt/plan/plan_builder.hpp"

#include "ops/matmul/matmul_product.hpp"

// How the dispatches of a product follow each other, for every backend.

namespace vkgpt::ops {

struct KParts {
  std::int64_t limit;        // elements of k that one dispatch may sum up, one dispatch after another
  std::uint32_t splits = 1;  // parts of K, for products of which `can_split_k`
};

/// Adds to a part's dispatch what is the backend's: macros, subgroup size, groups.
using CompletePart = std::function<void(plan::Dispatch& dispatch, const Part& part)>;

/// Appends the parts of `product`. With several `splits` they write sums of their own, all in one barrier
/// group, which `linear_backward_weight_reduce` then adds in the order of k to what C and `row_sums` held.
void append_parts(plan::PlanBuilder& builder, const Product& product, const Extents& extents, KParts k,
                  const CompletePart& complete);

/// Invocations that a device of the kind should have to work on, to have no idle processors.
std::uint64_t invocations_to_fill(const vk::DeviceCaps& caps);

/// Whether the product may be computed in that many parts of K: a weight gradient whose sums, apart from each
/// other, take no more than what every device binds at once.
bool can_split_k(const vk::DeviceCaps& caps, const Product& product, const Extents& extents,
                 std::uint32_t splits);

/// The parts of K that give a device enough to do with a product that by itself has `invocations`; 1 where
/// they may not be, or would be short.
std::uint32_t k_splits_to_fill(const vk::DeviceCaps& caps, const Product& product, const Extents& extents,
                               std::uint64_t invocations);

}  // namespace vkgpt::ops
