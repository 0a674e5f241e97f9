#include "vkgpt/ops/embedding.hpp"

#include <algorithm>
#include <utility>

#include "vkgpt/core/check.hpp"
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

/// The checked sizes of tokens (B, T), their rows x (B, T, C) and a table of Vp rows.
EmbeddingShape shape_of(const plan::Tensor& tokens, const plan::Tensor& x, const std::optional<Shape>& wte,
                        const std::optional<plan::Tensor>& wpe) {
  VKGPT_CHECK(tokens.shape.rank() == 2, "tokens {}", tokens.shape.to_string());
  const EmbeddingShape shape{tokens.shape.numel(), tokens.shape[1], x.shape.back(), wte ? (*wte)[0] : 0};
  check_tokens(tokens, x, shape);
  if (wte) check_wte(*wte, shape);
  if (wpe) check_wpe(*wpe, shape);
  return shape;
}

/// Runs of the tokens' rows in x.
std::vector<Slice> token_slices(const vk::DeviceCaps& caps, const EmbeddingShape& shape,
                                const plan::Tensor& x) {
  return row_slices(caps, shape.rows, shape.C * dtype_size(x.dtype), slice_granule(any_16bit({x})));
}

/// Runs of the rows of wte that are bound at once.
std::vector<Slice> table_slices(const vk::DeviceCaps& caps, const Weight& wte) {
  const bool has_wide_granule = wte.blocks || any_16bit({wte.values});
  return row_slices(caps, wte.shape[0], wte.row_bytes(), slice_granule(has_wide_granule));
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
  dispatch.push = PushWords{}.u32(slice.count, shape.C, shape.T, slice.first, vocabulary.first,
                                  vocabulary.count, shape.Vp);
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
  const plan::Tensor& tokens;  // (rows) i32: rows of the table
  const plan::Tensor& dtable;  // (rows of the table, C), added to
  std::int64_t C;
  std::int64_t table_rows;  // of which the last stands for all beyond
};

void sort_positions(plan::PlanBuilder& builder, const TableSum& sum, Slice slice,
                    const plan::Tensor& sorted) {
  // On a GPU the few positions spread best with one each.
  const std::uint32_t items = builder.caps().is_cpu() ? 0 : 1;
  plan::Dispatch dispatch = elementwise(builder.caps(), "embedding_backward_sort", slice.count, {}, items);
  dispatch.bindings = {elements(read(sum.tokens), slice), write(sorted)};
  dispatch.push = PushWords{}.u32(slice.count, sum.table_rows);
  dispatch.cost.flops = 3 * slice.count * slice.count;
  builder.dispatch(std::move(dispatch));
}

void sum_tokens(plan::PlanBuilder& builder, const TableSum& sum, Slice slice, const plan::Tensor& sorted) {
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
    dispatch.bindings = {read(sorted), matrix_rows(read(sum.dx), sum.C, slice, sum.dx.dtype),
                         matrix_rows(read_write(sum.dtable), sum.C, vocabulary)};
    dispatch.groups = fold_grid(caps, slice.count * column_groups);
    dispatch.push = PushWords{}.u32(slice.count, sum.C, vocabulary.first, vocabulary.count);
    const std::int64_t touched = std::min(slice.count, vocabulary.count);
    dispatch.cost = {.flops = slice.count * sum.C,
                     .bytes = sum.C * (slice.count * dtype_size(sum.dx.dtype) + 8 * touched)};
    builder.dispatch(std::move(dispatch));
  }
}

void sum_rows(plan::PlanBuilder& builder, const TableSum& sum, Slice slice) {
  const plan::Tensor sorted = builder.transient("sorted_positions", {2, slice.count}, DType::kU32);
  sort_positions(builder, sum, slice, sorted);
  sum_tokens(builder, sum, slice, sorted);
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
  const EmbeddingShape shape = shape_of(args.tokens, args.x, args.wte.shape, args.wpe);
  if (args.positions) check_positions(*args.positions, shape.rows);
  const vk::DeviceCaps& caps = builder.caps();
  for (const Slice slice : token_slices(caps, shape, args.x)) {
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
    plan::Dispatch dispatch =
        gather(caps, {args.tokens, args.wte, args.wpe, args.x}, shape, {0, shape.rows}, vocabulary);
    if (args.wpe) add_binding(dispatch, "PLACES", read(args.places));
    builder.dispatch(std::move(dispatch));
  }
}

void embedding_backward(plan::PlanBuilder& builder, const EmbeddingBackward& args) {
  const EmbeddingShape shape =
      shape_of(args.tokens, args.dx, args.dwte ? std::optional(args.dwte->shape) : std::nullopt, args.dwpe);
  if (args.positions) check_positions(*args.positions, shape.rows);
  for (const Slice slice : token_slices(builder.caps(), shape, args.dx)) {
    if (args.dwte) sum_rows(builder, {args.dx, args.tokens, *args.dwte, shape.C, shape.Vp}, slice);
    if (!args.dwpe) continue;
    if (args.positions) {
      sum_rows(builder, {args.dx, *args.positions, *args.dwpe, shape.C, shape.T}, slice);
    } else {
      sum_positions(builder, args, shape, slice);
    }
  }
}

}  // namespace vkgpt::ops
