#include "vkgpt/ops/embedding.hpp"

#include <algorithm>
#include <numeric>
#include <utility>

#include "vkgpt/core/check.hpp"
#include "vkgpt/ops/fill.hpp"
#include "vkgpt/ops/launch.hpp"

#include "ops/grid.hpp"
#include "ops/places.hpp"

namespace vkgpt::ops {
namespace {

using plan::PushWords;
using plan::read;
using plan::read_write;
using plan::rows;
using plan::write;

/// `rows` tokens, `T` to a sequence, each a row of `C` in x; `Vp` rows of wte.
struct EmbeddingShape {
  std::int64_t rows;
  std::int64_t T;
  std::int64_t C;
  std::int64_t Vp;

  std::int64_t row_bytes() const { return C * sizeof(float); }
};

void check_wte(const Shape& wte, const EmbeddingShape& shape) {
  VKGPT_CHECK(wte == (Shape{shape.Vp, shape.C}), "wte {} for rows of {}", wte.to_string(), shape.C);
}

void check_wpe(const plan::Tensor& wpe, const EmbeddingShape& shape) {
  VKGPT_CHECK(wpe.shape.rank() == 2 && wpe.shape[0] >= shape.T && wpe.shape.back() == shape.C,
              "wpe {} for {} positions of {}", wpe.shape.to_string(), shape.T, shape.C);
}

void check_tokens(const plan::Tensor& tokens, const plan::Tensor& x, const EmbeddingShape& shape) {
  VKGPT_CHECK(tokens.dtype == DType::kI32, "tokens are {}", dtype_name(tokens.dtype));
  VKGPT_CHECK(x.shape.rows() == shape.rows, "{} tokens for {}", tokens.shape.to_string(),
              x.shape.to_string());
}

void check_order(const plan::Tensor& order, const EmbeddingShape& shape) {
  VKGPT_CHECK(order.shape == Shape{2 * shape.rows} && order.dtype == DType::kU32, "order {} of {} rows",
              order.shape.to_string(), shape.rows);
}

/// Runs of the tokens' rows in x or dx.
std::vector<Slice> token_slices(const vk::DeviceCaps& caps, std::int64_t rows, std::int64_t C, DType dtype) {
  return row_slices(caps, rows, C * dtype_size(dtype), slice_granule(dtype_size(dtype) == 2));
}

/// Runs of the rows of wte that are bound at once.
std::vector<Slice> table_slices(const vk::DeviceCaps& caps, const Weight& wte) {
  const bool has_wide_granule = wte.blocks || any_16bit({wte.values});
  return row_slices(caps, wte.shape[0], bound_row_bytes(caps, wte), slice_granule(has_wide_granule));
}

/// One slice of rows of x, gathered from one slice of wte.
plan::Dispatch gather(const vk::DeviceCaps& caps, const EmbeddingForward& args, const EmbeddingShape& shape,
                      Slice slice, Slice vocabulary) {
  plan::Dispatch dispatch =
      subgroup_per_row(caps, "embedding_forward", slice.count, plan::Macros{}.dtype("DTYPE", args.x.dtype));
  const bool is_f32 = !args.wte.blocks && args.wte.values.dtype == DType::kF32;
  dispatch.kernel.macros.flag("WTE_F32", is_f32 && args.x.dtype != DType::kF32);
  dispatch.bindings = {elements(read(args.tokens), slice),
                       rows(read(args.wte.values), args.wte.values, vocabulary.first, vocabulary.count),
                       matrix_rows(write(args.x), shape.C, slice, args.x.dtype)};
  if (args.wpe) add_binding(dispatch, "WPE", read(*args.wpe));
  add_block_bindings(dispatch, args.wte, vocabulary.first, vocabulary.count);
  if (args.wpe && args.positions) add_binding(dispatch, "POSITIONS", elements(read(*args.positions), slice));
  dispatch.push =
      PushWords{}
          .u32(slice.count, shape.C, shape.T, slice.first, vocabulary.first, vocabulary.count, shape.Vp)
          .f32(args.scale);
  // Of wte the rows of the tokens, of wpe those of the positions, which caches keep from sequence to
  // sequence.
  const std::int64_t positions = args.wpe ? std::min(slice.count, shape.T) : 0;
  dispatch.cost = {.flops = slice.count * shape.C,
                   .bytes = slice.count * (args.wte.row_bytes() + shape.C * dtype_size(args.x.dtype)) +
                            shape.C * positions * dtype_size(DType::kF32)};
  return dispatch;
}

/// Rows of x that are read from a table, and the rows of it.
struct TableSum {
  const plan::Tensor& dx;      // (rows, C)
  const plan::Tensor& order;   // (2 * rows) u32: see `embedding_order`
  const plan::Tensor& dtable;  // (rows of the table, C), added to
  std::int64_t C;
  std::int64_t table_rows;
  float scale = 1;
};

void sum_rows(plan::PlanBuilder& builder, const TableSum& sum, Slice slice) {
  const vk::DeviceCaps& caps = builder.caps();
  // A CPU driver's workgroup walks over all columns of a run; a GPU's takes 32 or 64 of them and cuts long
  // runs.
  const std::uint32_t width = caps.subgroup_size;
  const std::uint32_t parts = subgroups_per_workgroup(caps);
  const std::int64_t column_groups = caps.is_cpu() ? 1 : ceil_div(sum.C, width);
  const auto row_bytes = static_cast<std::int64_t>(sum.C * sizeof(float));
  for (const Slice vocabulary : row_slices(caps, sum.table_rows, row_bytes)) {
    plan::Dispatch dispatch;
    dispatch.kernel.stem = "embedding_backward_wte";
    dispatch.kernel.macros.dtype("DTYPE", sum.dx.dtype);
    dispatch.kernel.spec_constants = {width, parts, static_cast<std::uint32_t>(column_groups)};
    dispatch.bindings = {elements(read(sum.order), {2 * slice.first, 2 * slice.count}),
                         matrix_rows(read(sum.dx), sum.C, slice, sum.dx.dtype),
                         matrix_rows(read_write(sum.dtable), sum.C, vocabulary)};
    dispatch.groups = fold_grid(caps, slice.count * column_groups);
    dispatch.push = PushWords{}.u32(slice.count, sum.C, vocabulary.first, vocabulary.count).f32(sum.scale);
    const std::int64_t touched = std::min(slice.count, vocabulary.count);
    dispatch.cost = {.flops = slice.count * sum.C,
                     .bytes = sum.C * (slice.count * dtype_size(sum.dx.dtype) + 8 * touched)};
    builder.dispatch(std::move(dispatch));
  }
}

void sum_positions(plan::PlanBuilder& builder, const EmbeddingBackward& args, const EmbeddingShape& shape,
                   Slice slice) {
  plan::Dispatch dispatch = elementwise(builder.caps(), "embedding_backward_wpe", shape.T * shape.C,
                                        plan::Macros{}.dtype("DTYPE", args.dx.dtype));
  dispatch.bindings = {matrix_rows(read(args.dx), shape.C, slice, args.dx.dtype),
                       matrix_rows(read_write(*args.dwpe), shape.C, {0, shape.T})};
  dispatch.push = PushWords{}.u32(shape.T * shape.C, shape.C, shape.T, slice.count, slice.first % shape.T);
  dispatch.cost.flops = slice.count * shape.C;
  builder.dispatch(std::move(dispatch));
}

}  // namespace

void embedding_forward(plan::PlanBuilder& builder, const EmbeddingForward& args) {
  VKGPT_CHECK(args.tokens.shape.rank() == 2, "tokens {}", args.tokens.shape.to_string());
  const EmbeddingShape shape{args.tokens.shape.numel(), args.tokens.shape[1], args.x.shape.back(),
                             args.wte.shape[0]};
  check_tokens(args.tokens, args.x, shape);
  check_wte(args.wte.shape, shape);
  if (args.wpe) check_wpe(*args.wpe, shape);
  if (args.positions) check_positions(*args.positions, shape.rows);
  const vk::DeviceCaps& caps = builder.caps();
  for (const Slice slice : token_slices(caps, shape.rows, shape.C, args.x.dtype)) {
    for (const Slice vocabulary : table_slices(caps, args.wte)) {
      builder.dispatch(gather(caps, args, shape, slice, vocabulary));
    }
  }
}

void embedding_decode(plan::PlanBuilder& builder, const EmbeddingDecode& args) {
  VKGPT_CHECK(args.tokens.shape.rank() == 1, "tokens {}", args.tokens.shape.to_string());
  check_places(args.places, args.tokens.shape[0]);
  const EmbeddingShape shape{args.tokens.shape.numel(), args.wpe ? args.wpe->shape[0] : 1,
                             args.x.shape.back(), args.wte.shape[0]};
  check_tokens(args.tokens, args.x, shape);
  check_wte(args.wte.shape, shape);
  if (args.wpe) check_wpe(*args.wpe, shape);
  const vk::DeviceCaps& caps = builder.caps();
  for (const Slice vocabulary : table_slices(caps, args.wte)) {
    plan::Dispatch dispatch = gather(caps, {args.tokens, args.wte, args.wpe, args.x, {}, args.scale}, shape,
                                     {0, shape.rows}, vocabulary);
    if (args.wpe) add_binding(dispatch, "PLACES", read(args.places));
    builder.dispatch(std::move(dispatch));
  }
}

void embedding_backward(plan::PlanBuilder& builder, const EmbeddingBackward& args) {
  VKGPT_CHECK(args.dx.shape.rank() == 3, "dx {}", args.dx.shape.to_string());
  const EmbeddingShape shape{args.dx.shape.rows(), args.dx.shape[1], args.dx.shape.back(),
                             args.dwte ? args.dwte->shape[0] : 0};
  check_order(args.order, shape);
  if (args.position_order) check_order(*args.position_order, shape);
  if (args.dwte) check_wte(args.dwte->shape, shape);
  if (args.dwpe) check_wpe(*args.dwpe, shape);
  if (args.dwte) zero_discarded(builder, *args.dwte);
  if (args.dwpe) zero_discarded(builder, *args.dwpe);
  for (const Slice slice : token_slices(builder.caps(), shape.rows, shape.C, args.dx.dtype)) {
    if (args.dwte) sum_rows(builder, {args.dx, args.order, *args.dwte, shape.C, shape.Vp, args.scale}, slice);
    if (!args.dwpe) continue;
    if (args.position_order) {
      sum_rows(builder, {args.dx, *args.position_order, *args.dwpe, shape.C, shape.T}, slice);
    } else {
      sum_positions(builder, args, shape, slice);
    }
  }
}

std::vector<std::uint32_t> embedding_order(const vk::DeviceCaps& caps, std::span<const std::int32_t> tokens,
                                           std::int64_t C, DType dtype, std::int64_t Vp) {
  const auto row_of = [&](std::int32_t token) {
    return std::min(static_cast<std::uint32_t>(token), static_cast<std::uint32_t>(Vp - 1));
  };
  std::vector<std::uint32_t> order(2 * tokens.size());
  for (const Slice slice : token_slices(caps, std::ssize(tokens), C, dtype)) {
    const auto first = static_cast<std::size_t>(slice.first), count = static_cast<std::size_t>(slice.count);
    const std::span<const std::int32_t> own = tokens.subspan(first, count);
    const std::span<std::uint32_t> positions = std::span(order).subspan(2 * first, count);
    const std::span<std::uint32_t> sorted = std::span(order).subspan(2 * first + count, count);
    std::vector<std::uint32_t> begins(static_cast<std::size_t>(Vp) + 1);  // of each token's run
    for (const std::int32_t token : own) ++begins[row_of(token) + 1];
    std::partial_sum(begins.begin(), begins.end(), begins.begin());
    for (std::uint32_t position = 0; position < count; ++position) {
      const std::uint32_t row = row_of(own[position]);
      const std::uint32_t place = begins[row]++;
      positions[place] = position;
      sorted[place] = row;
    }
  }
  return order;
}

}  // namespace vkgpt::ops
