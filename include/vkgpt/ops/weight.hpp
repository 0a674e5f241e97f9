#pragma once

#include <cstdint>
#include <optional>

#include "vkgpt/core/blocks.hpp"
#include "vkgpt/plan/plan_builder.hpp"

namespace vkgpt::ops {

/// A matrix of weights (N, K) as ops read it: a tensor of elements, or in blocks (core/blocks.hpp), whose
/// rows are whole ones and which ops decode as they go.
struct Weight {
  plan::Tensor values;  // (N, K); in blocks the quants, (N, K / those in a word) u32
  Shape shape;          // (N, K)
  std::optional<BlockType> blocks = {};
  std::optional<plan::Tensor> scales = {};  // u32 words, of types that have some

  Weight() = default;
  Weight(plan::Tensor elements) : values(std::move(elements)), shape(values.shape) {}
  Weight(BlockType type, Shape size, plan::Tensor quants, std::optional<plan::Tensor> all_scales);

  /// Whether an op on elements of `dtype` reads it.
  bool is_for(DType dtype) const { return blocks || values.dtype == dtype; }
  /// Bytes of a row, without its scales.
  std::int64_t row_bytes() const { return values.shape.back() * dtype_size(values.dtype); }
};

/// Bytes that a row counts for when rows are bound: those of `row_bytes`, or more where numbers of 4 bits
/// would pass 32-bit indices before they fill a binding.
std::int64_t bound_row_bytes(const vk::DeviceCaps& caps, const Weight& weight);

/// The persistent tensors of a matrix in blocks, "NAME" and "NAME.scales".
Weight persistent_blocks(plan::PlanBuilder& builder, std::string_view name, BlockType type,
                         const Shape& shape);

/// The scales of `count` rows from row `first` on, which is a multiple of 128.
plan::Binding scales_of_rows(const Weight& weight, std::int64_t first, std::int64_t count);

/// Binds the scales of these rows last, and says to the kernel (macros BLOCKS and SCALES) how the matrix is
/// held; nothing for one of elements.
void add_block_bindings(plan::Dispatch& dispatch, const Weight& weight, std::int64_t first,
                        std::int64_t count);

}  // namespace vkgpt::ops
