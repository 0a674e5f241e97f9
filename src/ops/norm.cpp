#include "vkgpt/ops/norm.hpp"

#include <utility>
#include <vector>

#include "vkgpt/core/check.hpp"
#include "vkgpt/ops/launch.hpp"

#include "ops/column_sums.hpp"
#include "ops/grid.hpp"
#include "ops/held_rows.hpp"
#include "ops/work_slices.hpp"

namespace vkgpt::ops {
namespace {

using plan::PushWords;
using plan::read;
using plan::read_write;
using plan::write;

// Words of 16 bytes of a row that an invocation may hold. In the backward each has beside it the sums of
// dweight and dbias of its elements: 5 words of 16-bit ones take 240 registers of NVIDIA's 255, 6 spill, and
// so do 10 of f32.
constexpr std::int64_t kForwardWords = 8;
constexpr std::int64_t backward_words(DType dtype) {
  return dtype_size(dtype) == 2 ? 5 : 8;
}

/// Sizes of a norm over rows of C.
struct NormShape {
  std::int64_t rows;
  std::int64_t C;

  std::int64_t elements(Slice slice) const { return slice.count * C; }
  std::int64_t row_bytes() const { return C * std::int64_t{sizeof(float)}; }
};

void check_parameter(const plan::Tensor& t, const NormShape& shape) {
  VKGPT_CHECK(t.shape == Shape{shape.C} && t.dtype == DType::kF32, "{} for rows of {}", t.shape.to_string(),
              shape.C);
}

void check_statistic(const plan::Tensor& t, const NormShape& shape) {
  VKGPT_CHECK(t.shape.numel() == shape.rows && t.dtype == DType::kF32, "{} for {} rows", t.shape.to_string(),
              shape.rows);
}

void check_statistics(NormKind kind, const std::optional<plan::Tensor>& mean, const plan::Tensor& rstd,
                      const NormShape& shape) {
  VKGPT_CHECK(mean.has_value() == (kind == NormKind::kLayerNorm), "a LayerNorm has a mean, no other norm");
  if (mean) check_statistic(*mean, shape);
  check_statistic(rstd, shape);
}

void check_rows(const plan::Tensor& t, const plan::Tensor& x, DType dtype) {
  VKGPT_CHECK(t.shape == x.shape && t.dtype == dtype, "{} {} beside {}", dtype_name(t.dtype),
              t.shape.to_string(), x.shape.to_string());
}

/// The macros of every kernel here, and the mean where the kind has one.
void add_kind(plan::Dispatch& dispatch, NormKind kind, const std::optional<plan::Binding>& mean) {
  dispatch.kernel.macros.flag("RMS", kind != NormKind::kLayerNorm)
      .flag("ONE_PLUS", kind == NormKind::kRmsNorm1p);
  if (mean) add_binding(dispatch, "MEAN", *mean);
}

bool wants_sums(const NormBackward& args) {
  return args.dweight || args.dbias;
}

/// dweight and dbias, those that are wanted, in the places that DWEIGHT and DBIAS say among the SUMS of a
/// block of rows.
std::vector<plan::Tensor> add_sums(plan::Macros& macros, const NormBackward& args) {
  std::vector<plan::Tensor> sums;
  const auto add = [&](const char* name, const std::optional<plan::Tensor>& sum) {
    if (!sum) return;
    macros.value(name, sums.size());
    sums.push_back(*sum);
  };
  add("DWEIGHT", args.dweight);
  add("DBIAS", args.dbias);
  macros.value("SUMS", sums.size());
  return sums;
}

plan::Tensor sums_of_blocks(plan::PlanBuilder& builder, const ColumnBlocks& blocks, std::size_t sums) {
  return builder.transient("norm_partials", {blocks.blocks, static_cast<std::int64_t>(sums), blocks.columns});
}

/// dweight and dbias of a slice of rows.
void parameter_gradients(plan::PlanBuilder& builder, const NormBackward& args, const NormShape& shape,
                         Slice slice) {
  const ColumnBlocks blocks = column_blocks(builder.caps(), slice.count, shape.C, 16, 128);
  plan::Macros macros = plan::Macros{}.dtype("DTYPE", args.dy.dtype);
  const std::vector<plan::Tensor> sums = add_sums(macros, args);
  const plan::Tensor parts = sums_of_blocks(builder, blocks, sums.size());
  plan::Dispatch partial = column_parts(builder.caps(), "norm_backward_partial", blocks, macros);
  partial.bindings = {matrix_rows(read(args.dy), shape.C, slice, args.dy.dtype),
                      matrix_rows(read(args.x), shape.C, slice, args.x.dtype),
                      elements(read(args.rstd), slice), write(parts)};
  add_kind(partial, args.kind,
           args.mean.transform([&](const plan::Tensor& mean) { return elements(read(mean), slice); }));
  partial.push = PushWords{}.u32(slice.count, shape.C, blocks.blocks, blocks.rows_per_block);
  partial.cost.flops = 5 * shape.elements(slice);
  builder.dispatch(std::move(partial));
  add_column_sums(builder, blocks, parts, sums);
}

/// The kernel of dx, with all bindings but those that a variant adds.
void bind_backward(plan::Dispatch& dispatch, const NormBackward& args, const NormShape& shape, Slice slice) {
  const plan::Binding dx = args.accumulate ? read_write(args.dx) : write(args.dx);
  dispatch.bindings = {matrix_rows(read(args.dy), shape.C, slice, args.dy.dtype),
                       matrix_rows(read(args.x), shape.C, slice, args.x.dtype), read(args.weight),
                       elements(read(args.rstd), slice), matrix_rows(dx, shape.C, slice, args.dx.dtype)};
  add_kind(dispatch, args.kind,
           args.mean.transform([&](const plan::Tensor& mean) { return elements(read(mean), slice); }));
  dispatch.kernel.macros.flag("ACCUMULATE", args.accumulate);
}

/// All gradients of a slice of rows in one pass over them, `words` of a row held by an invocation. Blocks of
/// rows are those of the slice, so that sums keep their order, however few of them a dispatch holds.
void append_held(plan::PlanBuilder& builder, const NormBackward& args, const NormShape& shape, Slice slice,
                 std::int64_t words) {
  const vk::DeviceCaps& caps = builder.caps();
  const std::int64_t wanted = invocations_to_fill(caps) / caps.subgroup_size;
  const std::int64_t rows_per_block = ceil_div(slice.count, std::max<std::int64_t>(wanted, 1));
  const ColumnBlocks blocks{slice.count, shape.C, ceil_div(slice.count, rows_per_block), rows_per_block};
  plan::Macros macros = row_words(caps, args.dy.dtype).value("WORDS", words);
  std::vector<plan::Tensor> sums;
  std::optional<plan::Tensor> parts;
  if (wants_sums(args)) {
    sums = add_sums(macros, args);
    parts = sums_of_blocks(builder, blocks, sums.size());
  }
  const std::int64_t granule = slice_granule(any_16bit({args.x}));
  for (const Slice part :
       work_rows(caps, Slice{0, blocks.blocks}, rows_per_block * shape.row_bytes(), granule)) {
    const std::int64_t done = part.first * rows_per_block;
    const Slice rows{slice.first + done, std::min(part.count * rows_per_block, slice.count - done)};
    plan::Dispatch dispatch = subgroup_per_row(caps, "norm_backward_held", part.count, macros);
    bind_backward(dispatch, args, shape, rows);
    dispatch.push = PushWords{}.u32(rows.count, shape.C, part.count, rows_per_block);
    dispatch.cost.flops = (args.accumulate ? 19 : 18) * shape.elements(rows);
    if (parts) {
      const std::int64_t row = std::ssize(sums) * shape.C;
      add_binding(dispatch, "PARTIALS", matrix_rows(write(*parts), row, part));
    }
    builder.dispatch(std::move(dispatch));
  }
  if (parts) add_column_sums(builder, blocks, *parts, sums);
}

}  // namespace

void norm_forward(plan::PlanBuilder& builder, const NormForward& args) {
  const vk::DeviceCaps& caps = builder.caps();
  const NormShape shape{args.x.shape.rows(), args.x.shape.back()};
  check_rows(args.y, args.x, args.x.dtype);
  check_parameter(args.weight, shape);
  if (args.bias) check_parameter(*args.bias, shape);
  check_statistics(args.kind, args.mean, args.rstd, shape);
  if (args.residual) {
    check_rows(args.residual->branch, args.x, args.x.dtype);
    check_rows(args.residual->sum, args.x, args.x.dtype);
  }

  const std::int64_t words = held_words(caps, shape.C, args.x.dtype, kForwardWords);
  const std::int64_t granule = slice_granule(any_16bit({args.x}));
  for (const Slice slice : work_rows(caps, shape.rows, shape.row_bytes(), granule)) {
    plan::Dispatch dispatch = subgroup_per_row(caps, words > 0 ? "norm_forward_held" : "norm_forward",
                                               slice.count, row_words(caps, args.x.dtype));
    if (words > 0) dispatch.kernel.macros.value("WORDS", words);
    dispatch.bindings = {matrix_rows(read(args.x), shape.C, slice, args.x.dtype), read(args.weight),
                         matrix_rows(write(args.y), shape.C, slice, args.y.dtype),
                         elements(write(args.rstd), slice)};
    add_kind(dispatch, args.kind,
             args.mean.transform([&](const plan::Tensor& mean) { return elements(write(mean), slice); }));
    if (args.bias) add_binding(dispatch, "BIAS", read(*args.bias));
    if (args.residual) {
      add_binding(dispatch, "BRANCH", matrix_rows(read(args.residual->branch), shape.C, slice, args.y.dtype));
      add_binding(dispatch, "RESIDUAL", matrix_rows(write(args.residual->sum), shape.C, slice, args.x.dtype));
    }
    dispatch.push = PushWords{}.u32(slice.count, shape.C).f32(args.eps);
    dispatch.cost.flops = (args.residual ? 9 : 8) * shape.elements(slice);
    builder.dispatch(std::move(dispatch));
  }
}

void norm_backward(plan::PlanBuilder& builder, const NormBackward& args) {
  const vk::DeviceCaps& caps = builder.caps();
  const NormShape shape{args.x.shape.rows(), args.x.shape.back()};
  check_rows(args.dy, args.x, args.x.dtype);
  check_rows(args.dx, args.x, args.x.dtype);
  check_parameter(args.weight, shape);
  if (args.dweight) check_parameter(*args.dweight, shape);
  if (args.dbias) check_parameter(*args.dbias, shape);
  check_statistics(args.kind, args.mean, args.rstd, shape);

  const std::int64_t words = held_words(caps, shape.C, args.x.dtype, backward_words(args.x.dtype));
  const std::int64_t granule = slice_granule(any_16bit({args.x}));
  for (const Slice whole : row_slices(caps, shape.rows, shape.row_bytes(), granule)) {
    if (words > 0) {
      append_held(builder, args, shape, whole, words);
      continue;
    }
    for (const Slice slice : work_rows(caps, whole, shape.row_bytes(), granule)) {
      plan::Dispatch dispatch =
          subgroup_per_row(caps, "norm_backward", slice.count, plan::Macros{}.dtype("DTYPE", args.x.dtype));
      bind_backward(dispatch, args, shape, slice);
      dispatch.push = PushWords{}.u32(slice.count, shape.C);
      dispatch.cost.flops = (args.accumulate ? 14 : 13) * shape.elements(slice);
      builder.dispatch(std::move(dispatch));
    }
    if (wants_sums(args)) parameter_gradients(builder, args, shape, whole);
  }
}

}  // namespace vkgpt::ops
