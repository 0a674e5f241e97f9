#include "vkgpt/ops/cross_entropy.hpp"

#include <algorithm>
#include <utility>

#include "vkgpt/core/check.hpp"
#include "vkgpt/ops/launch.hpp"
#include "vkgpt/plan/limits.hpp"

namespace vkgpt::ops {
namespace {

using plan::PushWords;
using plan::read;
using plan::read_write;
using plan::write;

/// Long rows deserve a workgroup of several subgroups, short ones would leave most of it idle.
std::uint32_t subgroups_for(const vk::DeviceCaps& caps, std::int64_t V) {
  const std::int64_t wanted = V / (8 * std::int64_t{caps.subgroup_size});
  return static_cast<std::uint32_t>(std::clamp<std::int64_t>(wanted, 1, subgroups_per_workgroup(caps)));
}

/// Arguments that only `cross_entropy_fused` has.
struct Gradient {
  float scale;
  LossShaping shaping;
  std::optional<plan::Tensor> loss_scale;
};

void check_shapes(const CrossEntropy& args, std::int64_t rows, std::int64_t Vp) {
  VKGPT_CHECK(args.V >= 1 && args.V <= Vp, "{} columns of {}", args.V, Vp);
  VKGPT_CHECK(args.targets.dtype == DType::kI32, "targets are {}", dtype_name(args.targets.dtype));
  VKGPT_CHECK(args.targets.shape.numel() == args.losses.shape.numel(), "{} targets for {} losses",
              args.targets.shape.to_string(), args.losses.shape.to_string());
  VKGPT_CHECK(args.first_row >= 0 && args.first_row + rows <= args.targets.shape.numel(), "rows {}+{} of {}",
              args.first_row, rows, args.targets.shape.to_string());
  VKGPT_CHECK(args.softcap >= 0, "soft cap {}", args.softcap);
}

void check_gradient(const Gradient& gradient) {
  const LossShaping& shaping = gradient.shaping;
  VKGPT_CHECK(shaping.label_smoothing >= 0 && shaping.label_smoothing < 1 && shaping.z_loss >= 0,
              "label smoothing {}, z-loss {}", shaping.label_smoothing, shaping.z_loss);
  VKGPT_CHECK(!gradient.loss_scale || gradient.loss_scale->dtype == DType::kU32, "a loss scale in {}",
              dtype_name(gradient.loss_scale->dtype));
}

plan::Macros classify_macros(const CrossEntropy& args, const Gradient* gradient) {
  const LossShaping shaping = gradient != nullptr ? gradient->shaping : LossShaping{};
  return plan::Macros{}
      .dtype("DTYPE", args.logits.dtype)
      .flag("SOFTCAP", args.softcap > 0)
      .flag("BACKWARD", gradient != nullptr)
      .flag("SHAPED", shaping.label_smoothing > 0 || shaping.z_loss > 0);
}

/// Losses of the rows and, with `gradient`, dlogits in their place.
void classify(plan::PlanBuilder& builder, const CrossEntropy& args, const Gradient* gradient) {
  const vk::DeviceCaps& caps = builder.caps();
  const std::int64_t rows = args.logits.shape.rows();
  const std::int64_t Vp = args.logits.shape.back();
  check_shapes(args, rows, Vp);
  if (gradient != nullptr) check_gradient(*gradient);
  const LossShaping shaping = gradient != nullptr ? gradient->shaping : LossShaping{};
  const DType dtype = args.logits.dtype;
  const std::int64_t row_bytes = Vp * dtype_size(dtype);

  for (const Slice slice : row_slices(caps, rows, row_bytes, slice_granule(any_16bit({args.logits})))) {
    plan::Dispatch dispatch = workgroups(caps, "cross_entropy_forward", slice.count,
                                         subgroups_for(caps, args.V), classify_macros(args, gradient));
    const plan::Binding logits = gradient != nullptr ? read_write(args.logits) : read(args.logits);
    dispatch.bindings = {matrix_rows(logits, Vp, slice, dtype), read(args.targets), write(args.losses)};
    if (gradient != nullptr && gradient->loss_scale) {
      add_binding(dispatch, "LOSS_SCALE", read(*gradient->loss_scale));
    }
    dispatch.push = PushWords{}
                        .u32(slice.count, args.V, Vp, args.first_row + slice.first)
                        .f32(gradient != nullptr ? gradient->scale : 0.0F, args.softcap,
                             shaping.label_smoothing, shaping.z_loss);
    // An exponential counts as ten, the soft cap as thirty wherever the logits are read.
    const std::int64_t reads = gradient != nullptr ? 3 : 2;
    const std::int64_t flops = (reads - 1) * 13 + (args.softcap > 0 ? 30 * reads : 0);
    dispatch.cost = {.flops = slice.count * args.V * flops,
                     .bytes = slice.count * (row_bytes * (gradient != nullptr ? 2 : 1) + 8)};
    builder.dispatch(std::move(dispatch));
  }
}

void check_accumulator(const plan::Tensor& t) {
  VKGPT_CHECK(t.shape == Shape{2} && t.dtype == DType::kU32, "loss accumulator {} {}", t.shape.to_string(),
              dtype_name(t.dtype));
}

}  // namespace

void cross_entropy_forward(plan::PlanBuilder& builder, const CrossEntropy& args) {
  classify(builder, args, nullptr);
}

void cross_entropy_fused(plan::PlanBuilder& builder, const CrossEntropy& args, float grad_scale,
                         const LossShaping& shaping, const std::optional<plan::Tensor>& loss_scale) {
  const Gradient gradient{grad_scale, shaping, loss_scale};
  classify(builder, args, &gradient);
}

plan::Tensor loss_accumulator(plan::PlanBuilder& builder, std::string_view name) {
  return builder.persistent(name, {2}, plan::Role::kStatistics, DType::kU32);
}

void loss_sum(plan::PlanBuilder& builder, const plan::Tensor& losses, const plan::Tensor& targets,
              const plan::Tensor& accumulator) {
  const std::int64_t rows = losses.shape.numel();
  check_accumulator(accumulator);
  VKGPT_CHECK(targets.shape.numel() == rows && targets.dtype == DType::kI32, "targets {} for losses {}",
              targets.shape.to_string(), losses.shape.to_string());
  plan::check_fits(rows < (1 << 24), "{} tokens in a batch, at most 16777215 can be counted", rows);
  plan::Dispatch dispatch =
      workgroups(builder.caps(), "loss_sum", 1, subgroups_per_workgroup(builder.caps()));
  dispatch.bindings = {read(losses), read(targets), read_write(accumulator)};
  dispatch.push = PushWords{}.u32(rows);
  dispatch.cost.flops = 2 * rows;
  builder.dispatch(std::move(dispatch));
}

void loss_mean(plan::PlanBuilder& builder, const plan::Tensor& accumulator, const plan::Tensor& result,
               const std::optional<plan::Tensor>& norm, const std::optional<plan::Tensor>& loss_scale) {
  check_accumulator(accumulator);
  VKGPT_CHECK(result.shape == Shape{8} && result.dtype == DType::kF32, "result {}", result.shape.to_string());
  plan::Dispatch dispatch;
  dispatch.kernel.stem = "loss_mean";
  dispatch.bindings = {read(accumulator), write(result)};
  if (norm) add_binding(dispatch, "NORM", read(*norm));
  if (loss_scale) add_binding(dispatch, "LOSS_SCALE", read(*loss_scale));
  dispatch.cost.flops = 1;
  builder.dispatch(std::move(dispatch));
}

}  // namespace vkgpt::ops
