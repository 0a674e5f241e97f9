#include "ops/column_sums.hpp"

#include <algorithm>
#include <utility>

#include "vkgpt/core/check.hpp"
#include "vkgpt/ops/fill.hpp"
#include "vkgpt/ops/launch.hpp"

#include "ops/grid.hpp"

namespace vkgpt::ops {

ColumnBlocks column_blocks(const vk::DeviceCaps& caps, std::int64_t rows, std::int64_t columns,
                           std::int64_t least_rows, std::int64_t most_blocks) {
  const std::int64_t rows_per_block = std::max(least_rows, ceil_div(rows, caps.is_cpu() ? 16 : most_blocks));
  return {rows, columns, ceil_div(rows, rows_per_block), rows_per_block};
}

plan::Dispatch column_parts(const vk::DeviceCaps& caps, std::string stem, const ColumnBlocks& blocks,
                            plan::Macros macros) {
  return lone_subgroups(caps, std::move(stem), ceil_div(blocks.columns, caps.subgroup_size) * blocks.blocks,
                        std::move(macros));
}

void add_column_sums(plan::PlanBuilder& builder, const ColumnBlocks& blocks, const plan::Tensor& parts,
                     std::span<const plan::Tensor> sums) {
  VKGPT_CHECK(sums.size() == 1 || sums.size() == 2, "{} sums", sums.size());
  const auto count = static_cast<std::int64_t>(sums.size());
  const vk::DeviceCaps& caps = builder.caps();
  const bool adds = adds_to(builder, sums);
  // Few columns make few workgroups: where there are many blocks, several invocations share a column.
  plan::Dispatch dispatch;
  dispatch.kernel = {.stem = "column_sums",
                     .macros = plan::Macros{}.value("SUMS", count).value("ADDS", adds),
                     .spec_constants = {caps.subgroup_size, subgroups_per_workgroup(caps)}};
  dispatch.groups = fold_grid(caps, ceil_div(blocks.columns, caps.subgroup_size));
  dispatch.bindings = {plan::read(parts)};
  for (const plan::Tensor& sum : sums)
    dispatch.bindings.push_back(adds ? plan::read_write(sum) : plan::write(sum));
  dispatch.push = plan::PushWords{}.u32(blocks.columns, blocks.blocks);
  dispatch.cost.flops = count * blocks.columns * (blocks.blocks + (adds ? 1 : 0));
  builder.dispatch(std::move(dispatch));
}

}  // namespace vkgpt::ops
