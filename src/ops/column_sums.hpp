#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "vkgpt/plan/plan_builder.hpp"

namespace vkgpt::ops {

/// How the rows of a sum over rows, column by column, are cut into blocks. The first stage is a kernel of the
/// op's own (shaders/include/column_sums.glsl), the second adds the blocks in their order.
struct ColumnBlocks {
  std::int64_t rows = 0;
  std::int64_t columns = 0;
  std::int64_t blocks = 0;
  std::int64_t rows_per_block = 0;
};

/// Blocks of at least `least_rows` rows, at most 16 on a CPU driver and `most_blocks` elsewhere.
ColumnBlocks column_blocks(const vk::DeviceCaps& caps, std::int64_t rows, std::int64_t columns,
                           std::int64_t least_rows, std::int64_t most_blocks);

/// The first stage, an invocation for each column of a block; bindings, push constants and cost are the
/// caller's.
plan::Dispatch column_parts(const vk::DeviceCaps& caps, std::string stem, const ColumnBlocks& blocks,
                            plan::Macros macros);

/// Appends the second stage: `parts` (blocks, sums, columns) over the blocks into one or two `sums`
/// (columns), added to what they hold or stored: see `adds_to`.
void add_column_sums(plan::PlanBuilder& builder, const ColumnBlocks& blocks, const plan::Tensor& parts,
                     std::span<const plan::Tensor> sums);

}  // namespace vkgpt::ops
