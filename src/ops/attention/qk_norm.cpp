#include "vkgpt/ops/attention/qk_norm.hpp"

#include <span>
#include <string>
#include <utility>
#include <vector>

#include "vkgpt/core/check.hpp"
#include "vkgpt/ops/launch.hpp"

#include "ops/attention/qkv_heads.hpp"
#include "ops/column_sums.hpp"
#include "ops/work_slices.hpp"

namespace vkgpt::ops {
namespace {

using plan::PushWords;
using plan::read;
using plan::write;

void check_like(const plan::Tensor& t, const plan::Tensor& qkv) {
  VKGPT_CHECK(t.shape == qkv.shape && t.dtype == qkv.dtype, "{} {} beside qkv {} {}", dtype_name(t.dtype),
              t.shape.to_string(), dtype_name(qkv.dtype), qkv.shape.to_string());
}

void check_weight(const plan::Tensor& t, const QkvHeads& heads) {
  VKGPT_CHECK(t.shape == Shape{heads.HS} && t.dtype == DType::kF32, "weight {} for heads of {}",
              t.shape.to_string(), heads.HS);
}

void check_rstd(const plan::Tensor& rstd, const plan::Tensor& qkv, const QkvHeads& heads) {
  VKGPT_CHECK(rstd.shape.numel() == qkv.shape.rows() * heads.normed() && rstd.dtype == DType::kF32,
              "rstd {} for qkv {}", rstd.shape.to_string(), qkv.shape.to_string());
}

std::int64_t row_bytes(const plan::Tensor& qkv) {
  return qkv.shape.back() * dtype_size(qkv.dtype);
}

/// A subgroup for every head of the rows of `slice`, without bindings and push constants.
plan::Dispatch per_head(const vk::DeviceCaps& caps, std::string stem, const QkvHeads& heads, DType dtype,
                        bool one_plus, Slice slice) {
  const std::int64_t all = heads.NH + 2 * heads.NKV;
  return subgroup_per_row(caps, std::move(stem), slice.count * all,
                          plan::Macros{}.dtype("DTYPE", dtype).flag("ONE_PLUS", one_plus));
}

PushWords per_head_push(const QkvHeads& heads, Slice slice) {
  return PushWords{}.u32(slice.count * (heads.NH + 2 * heads.NKV), heads.NH, heads.NKV, heads.HS);
}

/// The gradient of one weight from `count` heads of a slice of rows, the first of them `first`.
void weight_gradient(plan::PlanBuilder& builder, const QkNormBackward& args, const QkvHeads& heads,
                     Slice slice, std::int64_t first, std::int64_t count, const plan::Tensor& dweight) {
  const std::int64_t HS = heads.HS;
  const ColumnBlocks blocks = column_blocks(builder.caps(), slice.count, HS, 8, 256);
  const plan::Tensor parts = builder.transient("qk_norm_partials", {blocks.blocks, HS});
  const DType dtype = args.qkv.dtype;
  plan::Dispatch partial =
      column_parts(builder.caps(), "qk_norm_backward_partial", blocks, plan::Macros{}.dtype("DTYPE", dtype));
  partial.bindings = {matrix_rows(read(args.dout), heads.width(), slice, dtype),
                      matrix_rows(read(args.qkv), heads.width(), slice, dtype),
                      matrix_rows(read(args.rstd), heads.normed(), slice), write(parts)};
  partial.push = PushWords{}.u32(slice.count, heads.NH, heads.NKV, HS, first, count, blocks.blocks,
                                 blocks.rows_per_block);
  partial.cost.flops = 3 * slice.count * count * HS;
  builder.dispatch(std::move(partial));
  add_column_sums(builder, blocks, parts, std::span(&dweight, 1));
}

}  // namespace

void qk_norm_forward(plan::PlanBuilder& builder, const QkNormForward& args) {
  const QkvHeads heads = qkv_heads(args.qkv, args.n_head, args.n_kv_head);
  check_like(args.out, args.qkv);
  check_weight(args.q_weight, heads);
  check_weight(args.k_weight, heads);
  check_rstd(args.rstd, args.qkv, heads);
  const DType dtype = args.qkv.dtype;
  const std::int64_t granule = slice_granule(any_16bit({args.qkv}));
  for (const Slice slice : work_rows(builder.caps(), args.qkv.shape.rows(), row_bytes(args.qkv), granule)) {
    plan::Dispatch dispatch = per_head(builder.caps(), "qk_norm_forward", heads, dtype, args.one_plus, slice);
    dispatch.push = per_head_push(heads, slice).f32(args.eps);
    dispatch.bindings = {matrix_rows(read(args.qkv), heads.width(), slice, dtype), read(args.q_weight),
                         read(args.k_weight), matrix_rows(write(args.out), heads.width(), slice, dtype),
                         matrix_rows(write(args.rstd), heads.normed(), slice)};
    dispatch.cost.flops = 4 * slice.count * heads.normed() * heads.HS;
    builder.dispatch(std::move(dispatch));
  }
}

void qk_norm_backward(plan::PlanBuilder& builder, const QkNormBackward& args) {
  const QkvHeads heads = qkv_heads(args.qkv, args.n_head, args.n_kv_head);
  check_like(args.dout, args.qkv);
  check_like(args.dqkv, args.qkv);
  check_weight(args.q_weight, heads);
  check_weight(args.k_weight, heads);
  check_rstd(args.rstd, args.qkv, heads);
  if (args.dq_weight) check_weight(*args.dq_weight, heads);
  if (args.dk_weight) check_weight(*args.dk_weight, heads);
  const DType dtype = args.qkv.dtype;
  const std::int64_t granule = slice_granule(any_16bit({args.qkv}));
  for (const Slice whole : row_slices(builder.caps(), args.qkv.shape.rows(), row_bytes(args.qkv), granule)) {
    for (const Slice slice : work_rows(builder.caps(), whole, row_bytes(args.qkv), granule)) {
      plan::Dispatch dispatch =
          per_head(builder.caps(), "qk_norm_backward", heads, dtype, args.one_plus, slice);
      dispatch.push = per_head_push(heads, slice);
      dispatch.bindings = {matrix_rows(read(args.dout), heads.width(), slice, dtype),
                           matrix_rows(read(args.qkv), heads.width(), slice, dtype),
                           read(args.q_weight),
                           read(args.k_weight),
                           matrix_rows(read(args.rstd), heads.normed(), slice),
                           matrix_rows(write(args.dqkv), heads.width(), slice, dtype)};
      dispatch.cost.flops = 9 * slice.count * heads.normed() * heads.HS;
      builder.dispatch(std::move(dispatch));
    }
    if (args.dq_weight) weight_gradient(builder, args, heads, whole, 0, heads.NH, *args.dq_weight);
    if (args.dk_weight) weight_gradient(builder, args, heads, whole, heads.NH, heads.NKV, *args.dk_weight);
  }
}

}  // namespace vkgpt::ops
