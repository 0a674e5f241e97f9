#include "vkgpt/ops/cross_entropy.hpp"

#include <algorithm>
#include <utility>
#include <vector>

#include "vkgpt/core/check.hpp"
#include "vkgpt/ops/launch.hpp"

namespace vkgpt::ops {
namespace {

using plan::PushWords;
using plan::read;
using plan::read_write;
using plan::write;

std::uint64_t u64(std::int64_t value) {
  return static_cast<std::uint64_t>(value);
}

/// Long rows deserve a workgroup of several subgroups, short ones would leave most of it idle.
std::uint32_t subgroups_for(const vk::DeviceCaps& caps, std::int64_t V) {
  const std::int64_t wanted = V / (8 * std::int64_t{caps.subgroup_size});
  return static_cast<std::uint32_t>(
      std::clamp<std::int64_t>(wanted, 1, std::int64_t{subgroups_per_workgroup(caps)}));
}

void classify(plan::PlanBuilder& builder, const CrossEntropy& args, float grad_scale, bool backward) {
  const std::int64_t rows = args.logits.shape.rows();
  const std::int64_t Vp = args.logits.shape.back();
  VKGPT_CHECK(args.V >= 1 && args.V <= Vp, "{} columns of {}", args.V, Vp);
  VKGPT_CHECK(args.targets.dtype == DType::kI32, "targets are {}", dtype_name(args.targets.dtype));
  VKGPT_CHECK(args.targets.shape.numel() == args.losses.shape.numel(), "{} targets for {} losses",
              args.targets.shape.to_string(), args.losses.shape.to_string());
  VKGPT_CHECK(args.first_row >= 0 && args.first_row + rows <= args.targets.shape.numel(), "rows {}+{} of {}",
              args.first_row, rows, args.targets.shape.to_string());

  std::vector<vk::Macro> macros;
  if (backward) macros.push_back({"BACKWARD", "1"});
  for (const Slice slice : row_slices(builder.caps(), rows, u64(Vp) * sizeof(float))) {
    plan::Dispatch dispatch = workgroups(builder.caps(), "cross_entropy_forward", slice.count,
                                         subgroups_for(builder.caps(), args.V), macros);
    const plan::Binding logits = backward ? read_write(args.logits) : read(args.logits);
    dispatch.bindings = {matrix_rows(logits, Vp, slice), read(args.targets), write(args.losses)};
    dispatch.push = PushWords{}
                        .u32(u64(slice.count))
                        .u32(u64(args.V))
                        .u32(u64(Vp))
                        .u32(u64(args.first_row + slice.first))
                        .f32(grad_scale);
    // An exponential counts as ten.
    dispatch.cost = {.flops = u64(slice.count) * u64(args.V) * (backward ? 26 : 13),
                     .bytes = u64(slice.count) * (u64(Vp) * sizeof(float) * (backward ? 2 : 1) + 8)};
    builder.dispatch(std::move(dispatch));
  }
}

void check_accumulator(const plan::Tensor& t) {
  VKGPT_CHECK(t.shape == Shape{2} && t.dtype == DType::kU32, "loss accumulator {} {}", t.shape.to_string(),
              dtype_name(t.dtype));
}

}  // namespace

void cross_entropy_forward(plan::PlanBuilder& builder, const CrossEntropy& args) {
  classify(builder, args, 0, false);
}

void cross_entropy_fused(plan::PlanBuilder& builder, const CrossEntropy& args, float grad_scale) {
  classify(builder, args, grad_scale, true);
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
  VKGPT_CHECK(rows < (1 << 24), "{} rows are counted in f32", rows);
  plan::Dispatch dispatch =
      workgroups(builder.caps(), "loss_sum", 1, subgroups_per_workgroup(builder.caps()));
  dispatch.bindings = {read(losses), read(targets), read_write(accumulator)};
  dispatch.push = PushWords{}.u32(u64(rows));
  dispatch.cost.flops = 2 * u64(rows);
  builder.dispatch(std::move(dispatch));
}

void loss_mean(plan::PlanBuilder& builder, const plan::Tensor& accumulator, const plan::Tensor& result,
               const std::optional<plan::Tensor>& norm) {
  check_accumulator(accumulator);
  VKGPT_CHECK(result.shape == Shape{4} && result.dtype == DType::kF32, "result {}", result.shape.to_string());
  plan::Dispatch dispatch;
  dispatch.kernel.stem = "loss_mean";
  dispatch.bindings = {read(accumulator), write(result)};
  if (norm) {
    dispatch.kernel.macros.push_back({"NORM", "1"});
    dispatch.bindings.push_back(read(*norm));
  }
  dispatch.cost.flops = 1;
  builder.dispatch(std::move(dispatch));
}

}  // namespace vkgpt::ops
