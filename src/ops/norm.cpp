#include "vkgpt/ops/norm.hpp"

#include <algorithm>
#include <utility>
#include <vector>

#include "vkgpt/core/check.hpp"
#include "vkgpt/ops/grid.hpp"
#include "vkgpt/ops/launch.hpp"

namespace vkgpt::ops {
namespace {

using plan::PushWords;
using plan::read;
using plan::read_write;
using plan::write;

/// Sizes of a norm over rows of C.
struct NormShape {
  std::int64_t rows;
  std::int64_t C;

  std::uint64_t elements(Slice slice) const { return static_cast<std::uint64_t>(slice.count * C); }
  std::uint64_t row_bytes() const { return static_cast<std::uint64_t>(C) * sizeof(float); }
};

void check_parameter(const plan::Tensor& t, const NormShape& shape) {
  VKGPT_CHECK(t.shape == Shape{shape.C}, "{} for rows of {}", t.shape.to_string(), shape.C);
}

void check_statistic(const plan::Tensor& t, const NormShape& shape) {
  VKGPT_CHECK(t.shape.numel() == shape.rows, "{} for {} rows", t.shape.to_string(), shape.rows);
}

void check_rows(const plan::Tensor& t, const plan::Tensor& x) {
  VKGPT_CHECK(t.shape == x.shape, "{} beside {}", t.shape.to_string(), x.shape.to_string());
}

/// dweight and dbias of a slice of rows: sums over blocks of rows, then over the blocks.
void parameter_gradients(plan::PlanBuilder& builder, const NormBackward& args, const NormShape& shape,
                         Slice slice) {
  const vk::DeviceCaps& caps = builder.caps();
  const auto rows = static_cast<std::uint64_t>(slice.count);
  const auto C = static_cast<std::uint64_t>(shape.C);
  const std::uint64_t max_blocks = caps.is_cpu() ? 16 : 128;
  const std::uint64_t rows_per_block = std::max<std::uint64_t>(16, ceil_div(rows, max_blocks));
  const std::uint64_t blocks = ceil_div(rows, rows_per_block);
  const plan::Tensor partials =
      builder.transient("norm_partials", {static_cast<std::int64_t>(blocks), 2, shape.C});

  const std::uint64_t column_groups = ceil_div(C, caps.subgroup_size);
  plan::Dispatch partial =
      workgroups(caps, "norm_backward_partial", static_cast<std::int64_t>(column_groups * blocks), 1);
  partial.bindings = {matrix_rows(read(args.dy), shape.C, slice), matrix_rows(read(args.x), shape.C, slice),
                      elements(read(args.mean), slice), elements(read(args.rstd), slice), write(partials)};
  partial.push = PushWords{}.u32(rows).u32(C).u32(blocks).u32(rows_per_block);
  partial.cost.flops = 5 * shape.elements(slice);
  builder.dispatch(std::move(partial));

  plan::Dispatch reduce =
      workgroups(caps, "norm_backward_reduce", static_cast<std::int64_t>(column_groups), 1);
  reduce.bindings = {read(partials), read_write(args.dweight), read_write(args.dbias)};
  reduce.push = PushWords{}.u32(C).u32(blocks);
  reduce.cost.flops = 2 * C * (blocks + 1);
  builder.dispatch(std::move(reduce));
}

}  // namespace

void norm_forward(plan::PlanBuilder& builder, const NormForward& args) {
  const NormShape shape{args.x.shape.rows(), args.x.shape.back()};
  check_rows(args.y, args.x);
  check_parameter(args.weight, shape);
  check_parameter(args.bias, shape);
  check_statistic(args.mean, shape);
  check_statistic(args.rstd, shape);
  std::vector<vk::Macro> macros;
  if (args.residual) {
    check_rows(args.residual->branch, args.x);
    check_rows(args.residual->sum, args.x);
    macros.push_back({"RESIDUAL", "1"});
  }

  for (const Slice slice : row_slices(builder.caps(), shape.rows, shape.row_bytes())) {
    plan::Dispatch dispatch = subgroup_per_row(builder.caps(), "norm_forward", slice.count, macros);
    dispatch.bindings = {matrix_rows(read(args.x), shape.C, slice),
                         read(args.weight),
                         read(args.bias),
                         matrix_rows(write(args.y), shape.C, slice),
                         elements(write(args.mean), slice),
                         elements(write(args.rstd), slice)};
    if (args.residual) {
      dispatch.bindings.push_back(matrix_rows(read(args.residual->branch), shape.C, slice));
      dispatch.bindings.push_back(matrix_rows(write(args.residual->sum), shape.C, slice));
    }
    dispatch.push = PushWords{}
                        .u32(static_cast<std::uint64_t>(slice.count))
                        .u32(static_cast<std::uint64_t>(shape.C))
                        .f32(args.eps);
    dispatch.cost.flops = (args.residual ? 9 : 8) * shape.elements(slice);
    builder.dispatch(std::move(dispatch));
  }
}

void norm_backward(plan::PlanBuilder& builder, const NormBackward& args) {
  const NormShape shape{args.x.shape.rows(), args.x.shape.back()};
  check_rows(args.dy, args.x);
  check_rows(args.dx, args.x);
  check_parameter(args.weight, shape);
  check_parameter(args.dweight, shape);
  check_parameter(args.dbias, shape);
  check_statistic(args.mean, shape);
  check_statistic(args.rstd, shape);
  std::vector<vk::Macro> macros;
  if (args.accumulate) macros.push_back({"ACCUMULATE", "1"});

  for (const Slice slice : row_slices(builder.caps(), shape.rows, shape.row_bytes())) {
    plan::Dispatch dispatch = subgroup_per_row(builder.caps(), "norm_backward", slice.count, macros);
    const plan::Binding dx = args.accumulate ? read_write(args.dx) : write(args.dx);
    dispatch.bindings = {matrix_rows(read(args.dy), shape.C, slice),
                         matrix_rows(read(args.x), shape.C, slice),
                         read(args.weight),
                         elements(read(args.mean), slice),
                         elements(read(args.rstd), slice),
                         matrix_rows(dx, shape.C, slice)};
    dispatch.push =
        PushWords{}.u32(static_cast<std::uint64_t>(slice.count)).u32(static_cast<std::uint64_t>(shape.C));
    dispatch.cost.flops = (args.accumulate ? 14 : 13) * shape.elements(slice);
    builder.dispatch(std::move(dispatch));
    parameter_gradients(builder, args, shape, slice);
  }
}

}  // namespace vkgpt::ops
