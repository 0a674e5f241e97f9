#include "vkgpt/ops/cross_entropy.hpp"

#include <algorithm>
#include <optional>
#include <utility>

#include "vkgpt/core/check.hpp"
#include "vkgpt/ops/launch.hpp"
#include "vkgpt/plan/limits.hpp"
#include "vkgpt/vk/subgroup_size.hpp"

#include "ops/grid.hpp"
#include "ops/held_rows.hpp"
#include "ops/work_slices.hpp"

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

/// Words of 16 bytes of a row that an invocation may hold: with 8, a workgroup of 1024 fits the 65536
/// registers of an SM, with 10 it spills; with a soft cap, whose hyperbolic tangents are taken anew wherever
/// a logit is used, it spills with 7.
std::int64_t most_words(const CrossEntropy& args) {
  return args.softcap > 0 ? 4 : 8;
}

/// A workgroup that holds its row in registers.
struct HeldRow {
  std::uint32_t subgroups;
  std::int64_t words;  // of an invocation
};

/// As many subgroups as leave each invocation two words, up to what the device allows; nothing where that is
/// too few.
std::optional<HeldRow> held_row(const vk::DeviceCaps& caps, const CrossEntropy& args) {
  // Intel's threads have too few registers for it.
  if (caps.is_cpu() || caps.vendor_id == vk::kVendorIntel || !vk::knows_subgroup_size(caps)) {
    return std::nullopt;
  }
  const std::int64_t most =
      std::min(caps.max_workgroup_invocations, caps.max_workgroup_size[0]) / caps.subgroup_size;
  const std::int64_t Vp = args.logits.shape.back();
  const DType dtype = args.logits.dtype;
  const std::int64_t words = Vp * dtype_size(dtype) / 16;
  const std::int64_t subgroups =
      std::clamp<std::int64_t>(ceil_div(words, 2 * std::int64_t{caps.subgroup_size}), 1, most);
  const std::int64_t held = held_words(Vp, dtype, subgroups * caps.subgroup_size, most_words(args));
  if (held == 0) return std::nullopt;
  return HeldRow{static_cast<std::uint32_t>(subgroups), held};
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
  VKGPT_CHECK(!args.weights || args.weights->shape.numel() == args.losses.shape.numel(), "weights {}",
              args.weights->shape.to_string());
}

void check_gradient(const Gradient& gradient) {
  const LossShaping& shaping = gradient.shaping;
  VKGPT_CHECK(shaping.label_smoothing >= 0 && shaping.label_smoothing < 1 && shaping.z_loss >= 0,
              "label smoothing {}, z-loss {}", shaping.label_smoothing, shaping.z_loss);
  VKGPT_CHECK(!gradient.loss_scale || gradient.loss_scale->dtype == DType::kU32, "a loss scale in {}",
              dtype_name(gradient.loss_scale->dtype));
}

plan::Macros classify_macros(const vk::DeviceCaps& caps, const CrossEntropy& args, const Gradient* gradient) {
  const LossShaping shaping = gradient != nullptr ? gradient->shaping : LossShaping{};
  return row_words(caps, args.logits.dtype)
      .flag("SOFTCAP", args.softcap > 0)
      .flag("BACKWARD", gradient != nullptr)
      .flag("SHAPED", shaping.label_smoothing > 0 || shaping.z_loss > 0);
}

/// Bytes of the words in which the kernel that holds no row moves them; 0 for single elements. See
/// shaders/include/logit_words.glsl.
std::int64_t word_bytes(const vk::DeviceCaps& caps, const CrossEntropy& args) {
  const std::int64_t bytes = !caps.is_cpu() ? 16 : caps.shader_int64 ? 8 : 0;
  const std::int64_t row_bytes = args.logits.shape.back() * dtype_size(args.logits.dtype);
  return bytes != 0 && row_bytes % bytes == 0 ? bytes : 0;
}

/// The kernel for a slice of rows: one that holds a row in registers, or one that reads it for the loss and
/// again for the gradient.
plan::Dispatch kernel_of(const vk::DeviceCaps& caps, const CrossEntropy& args, Slice slice,
                         plan::Macros macros) {
  const std::optional<HeldRow> held = held_row(caps, args);
  if (!held) {
    macros.value("WORD_BYTES", word_bytes(caps, args));
    return workgroups(caps, "cross_entropy_forward", slice.count, subgroups_for(caps, args.V),
                      std::move(macros));
  }
  macros.value("WORDS", held->words);
  return {.kernel = {.stem = "cross_entropy_forward_held",
                     .macros = std::move(macros),
                     .spec_constants = {held->subgroups * caps.subgroup_size, held->subgroups},
                     .subgroup_size = caps.subgroup_size},
          .groups = fold_grid(caps, slice.count)};
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

  for (const Slice slice : work_rows(caps, rows, row_bytes, slice_granule(any_16bit({args.logits})))) {
    plan::Dispatch dispatch = kernel_of(caps, args, slice, classify_macros(caps, args, gradient));
    const plan::Binding logits = gradient != nullptr ? read_write(args.logits) : read(args.logits);
    dispatch.bindings = {matrix_rows(logits, Vp, slice, dtype), read(args.targets), write(args.losses)};
    if (gradient != nullptr && gradient->loss_scale) {
      add_binding(dispatch, "LOSS_SCALE", read(*gradient->loss_scale));
    }
    if (gradient != nullptr && args.weights) add_binding(dispatch, "WEIGHTS", read(*args.weights));
    dispatch.push = PushWords{}
                        .u32(slice.count, args.V, Vp, args.first_row + slice.first)
                        .f32(gradient != nullptr ? gradient->scale : 0.0F, args.softcap,
                             shaping.label_smoothing, shaping.z_loss);
    // An exponential counts as ten, the soft cap as thirty wherever the logits are read.
    const std::int64_t passes = gradient != nullptr ? 2 : 1;
    const std::int64_t flops = passes * (13 + (args.softcap > 0 ? 30 : 0));
    const std::int64_t reads = held_row(caps, args) ? 1 : passes;
    dispatch.cost = {.flops = slice.count * args.V * flops,
                     .bytes = slice.count * (row_bytes * (reads + (gradient != nullptr ? 1 : 0)) + 8)};
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
               const std::optional<plan::Tensor>& norm, const std::optional<plan::Tensor>& loss_scale,
               std::int64_t positions) {
  check_accumulator(accumulator);
  VKGPT_CHECK(result.shape == Shape{8} && result.dtype == DType::kF32, "result {}", result.shape.to_string());
  plan::Dispatch dispatch;
  dispatch.kernel.stem = "loss_mean";
  dispatch.bindings = {read(accumulator), write(result)};
  dispatch.push = PushWords{}.f32(static_cast<double>(positions));
  if (norm) add_binding(dispatch, "NORM", read(*norm));
  if (loss_scale) add_binding(dispatch, "LOSS_SCALE", read(*loss_scale));
  dispatch.cost.flops = 1;
  builder.dispatch(std::move(dispatch));
}

}  // namespace vkgpt::ops
