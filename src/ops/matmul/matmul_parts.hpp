#pragma once

#include <array>
#include <cstdint>
#include <functional>

#include "vkgpt/plan/plan_builder.hpp"

#include "ops/matmul/matmul_product.hpp"

// How the dispatches of a product follow each other, for every backend.

namespace vkgpt::ops {

struct KParts {
  std::int64_t limit;       // elements of k that one dispatch may sum up, one dispatch after another
  std::int64_t splits = 1;  // split-K, for products of which `can_split_k`
};

/// Adds to a part's dispatch what is the backend's: the end of the stem, macros, subgroup size, groups.
using CompletePart = std::function<void(plan::Dispatch& dispatch, const Part& part)>;

/// Appends the parts of `product`. With split-K they write sums of their own, all in one dispatch or in one
/// barrier group, which `linear_backward_weight_reduce` then adds in the order of k to what C and `row_sums`
/// held; likewise `linear_backward_input_reduce` for dx.
void append_parts(plan::PlanBuilder& builder, const Product& product, const Extents& extents, KParts k,
                  const CompletePart& complete);

/// One workgroup for every tile of `rows` x `columns` elements of C. The product of both numbers is exactly
/// that of the tiles, which shaders may number anew (`tile_of_group`).
std::array<std::uint32_t, 3> tile_groups(const Part& part, std::int64_t rows, std::int64_t columns);

/// Whether split-K may compute the product in that many parts: the gradient of a weight or, without an
/// epilogue, of an input, whose sums, apart from each other, take no more than what every device binds at
/// once.
bool can_split_k(const vk::DeviceCaps& caps, const Product& product, const Extents& extents,
                 std::int64_t splits);

/// The parts of K that give a device enough to do with a product that by itself has `invocations`; 1 where
/// they may not be, or would be short.
std::int64_t k_splits_to_fill(const vk::DeviceCaps& caps, const Product& product, const Extents& extents,
                              std::int64_t invocations);

}  // namespace vkgpt::ops
