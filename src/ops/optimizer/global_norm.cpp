#include "vkgpt/ops/optimizer/global_norm.hpp"

#include <iterator>
#include <utility>
#include <vector>

#include "vkgpt/core/check.hpp"
#include "vkgpt/ops/launch.hpp"

namespace vkgpt::ops {

plan::Tensor global_norm_state(plan::PlanBuilder& builder) {
  return builder.persistent("global_norm", {4}, plan::Role::kStatistics, DType::kU32);
}

void global_norm(plan::PlanBuilder& builder, const plan::Tensor& gradients, float clip,
                 const plan::Tensor& state, const std::optional<plan::Tensor>& accumulator,
                 const std::optional<plan::Tensor>& loss_scale) {
  VKGPT_CHECK(gradients.dtype == DType::kF32, "gradients are {}", dtype_name(gradients.dtype));
  VKGPT_CHECK(state.shape == Shape{4} && state.dtype == DType::kU32, "state {}", state.shape.to_string());
  const vk::DeviceCaps& caps = builder.caps();
  const std::uint32_t subgroups = subgroups_per_workgroup(caps);
  const std::int64_t blocks = reduction_blocks(caps);
  const std::vector<Slice> slices = element_slices(caps, gradients.shape.numel());
  const std::int64_t slice_count = std::ssize(slices);
  const plan::Tensor partials = builder.transient("norm_partials", {slice_count * blocks, 2});

  for (std::int64_t s = 0; s < slice_count; ++s) {
    const Slice slice = slices[s];
    plan::Dispatch dispatch = workgroups(caps, "global_norm_partial", blocks, subgroups,
                                         plan::Macros{}.value("WIDTH", f32_width(caps, slice.count)));
    dispatch.bindings = {elements(plan::read(gradients), slice),
                         matrix_rows(plan::write(partials), 2, {s * blocks, blocks})};
    dispatch.push = plan::PushWords{}.u32(slice.count, blocks, reduction_block_size(slice.count, blocks));
    dispatch.cost.flops = 2 * slice.count;
    builder.dispatch(std::move(dispatch));
  }

  plan::Dispatch dispatch = workgroups(caps, "global_norm_clip", 1, subgroups);
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
  dispatch.push = plan::PushWords{}.u32(slice_count * blocks).f32(clip);
  dispatch.cost.flops = slice_count * blocks;
  builder.dispatch(std::move(dispatch));
}

}  // namespace vkgpt::ops
