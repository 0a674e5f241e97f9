#include "vkgpt/ops/optimizer/global_norm.hpp"

#include <iterator>
#include <utility>
#include <vector>

#include "vkgpt/core/check.hpp"
#include "vkgpt/ops/launch.hpp"

namespace vkgpt::ops {

namespace {

void append_partials(plan::PlanBuilder& builder, plan::Binding gradients, std::int64_t count,
                     plan::Binding partials, std::int64_t blocks) {
  const vk::DeviceCaps& caps = builder.caps();
  plan::Dispatch dispatch = workgroups(caps, "global_norm_partial", blocks, subgroups_per_workgroup(caps),
                                       plan::Macros{}.value("WIDTH", f32_width(caps, count)));
  dispatch.bindings = {gradients, partials};
  dispatch.push = plan::PushWords{}.u32(count, blocks, reduction_block_size(count, blocks));
  dispatch.cost.flops = 2 * count;
  builder.dispatch(std::move(dispatch));
}

}  // namespace

plan::Tensor global_norm_state(plan::PlanBuilder& builder) {
  return builder.persistent("global_norm", {4}, plan::Role::kStatistics, DType::kU32);
}

void global_norm(plan::PlanBuilder& builder, const plan::Tensor& gradients, float clip,
                 const plan::Tensor& state, const std::optional<plan::Tensor>& accumulator,
                 const std::optional<plan::Tensor>& loss_scale, std::int64_t positions) {
  VKGPT_CHECK(gradients.dtype == DType::kF32, "gradients are {}", dtype_name(gradients.dtype));
  const vk::DeviceCaps& caps = builder.caps();
  const std::int64_t blocks = reduction_blocks(caps);
  const std::vector<Slice> slices = element_slices(builder, {gradients});
  const std::int64_t slice_count = std::ssize(slices);
  const plan::Tensor partials = builder.transient("norm_partials", {slice_count * blocks, 2});
  for (std::int64_t s = 0; s < slice_count; ++s) {
    append_partials(builder, elements(plan::read(gradients), slices[s]), slices[s].count,
                    matrix_rows(plan::write(partials), 2, {s * blocks, blocks}), blocks);
  }
  global_norm_decide(builder, partials, clip, state, accumulator, loss_scale, positions);
}

void global_norm_partials(plan::PlanBuilder& builder, const plan::Tensor& gradients,
                          const plan::Tensor& partials) {
  VKGPT_CHECK(gradients.dtype == DType::kF32 && partials.shape.rank() == 2 && partials.shape[1] == 2,
              "partials {} of {}", partials.shape.to_string(), dtype_name(gradients.dtype));
  append_partials(builder, plan::read(gradients), gradients.shape.numel(), plan::write(partials),
                  partials.shape[0]);
}

void global_norm_decide(plan::PlanBuilder& builder, const plan::Tensor& partials, float clip,
                        const plan::Tensor& state, const std::optional<plan::Tensor>& accumulator,
                        const std::optional<plan::Tensor>& loss_scale, std::int64_t positions) {
  VKGPT_CHECK(state.shape == Shape{4} && state.dtype == DType::kU32, "state {}", state.shape.to_string());
  const vk::DeviceCaps& caps = builder.caps();
  plan::Dispatch dispatch = workgroups(caps, "global_norm_clip", 1, subgroups_per_workgroup(caps));
  dispatch.bindings = {plan::read(partials), plan::read_write(state)};
  if (accumulator) {
    dispatch.kernel.macros.flag("LOSS");
    dispatch.bindings.push_back(plan::read(*accumulator));
  }
  if (loss_scale) {
    VKGPT_CHECK(loss_scale->shape == Shape{4} && loss_scale->dtype == DType::kU32, "loss scale {}",
                loss_scale->shape.to_string());
    add_binding(dispatch, "LOSS_SCALE", plan::read(*loss_scale));
  }
  const std::int64_t blocks = partials.shape[0];
  dispatch.push = plan::PushWords{}.u32(blocks).f32(clip, static_cast<double>(positions));
  dispatch.cost.flops = blocks;
  builder.dispatch(std::move(dispatch));
}

}  // namespace vkgpt::ops
