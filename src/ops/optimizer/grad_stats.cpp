#include "vkgpt/ops/optimizer/grad_stats.hpp"

#include <iterator>
#include <utility>

#include "vkgpt/core/check.hpp"
#include "vkgpt/ops/launch.hpp"

namespace vkgpt::ops {

void grad_stats(plan::PlanBuilder& builder, std::span<const plan::Tensor> tensors,
                const plan::Tensor& result) {
  const std::int64_t n = std::ssize(tensors);
  VKGPT_CHECK(n > 0 && result.shape == Shape({n, 4}), "{} tensors for {}", n, result.shape.to_string());
  const vk::DeviceCaps& caps = builder.caps();
  const std::uint32_t subgroups = subgroups_per_workgroup(caps);
  const std::int64_t blocks = reduction_blocks(caps) / 4;
  const plan::Tensor partials = builder.transient("stats_partials", {n, blocks, 4});

  for (std::int64_t i = 0; i < n; ++i) {
    const plan::Tensor& tensor = tensors[i];
    for (const Slice slice : element_slices(builder, {tensor})) {
      plan::Dispatch dispatch = workgroups(caps, "grad_stats_partial", blocks, subgroups,
                                           plan::Macros{}.dtype("DTYPE", tensor.dtype));
      dispatch.kernel.macros.flag("ACCUMULATE", slice.first > 0);
      const plan::Binding out = slice.first > 0 ? plan::read_write(partials) : plan::write(partials);
      dispatch.bindings = {elements(plan::read(tensor), slice, tensor.dtype),
                           matrix_rows(out, blocks * 4, {i, 1})};
      dispatch.push = plan::PushWords{}.u32(slice.count, blocks, reduction_block_size(slice.count, blocks));
      dispatch.cost.flops = 3 * slice.count;
      builder.dispatch(std::move(dispatch));
    }
  }

  plan::Dispatch dispatch = workgroups(caps, "grad_stats_final", n, 1);
  dispatch.bindings = {plan::read(partials), plan::write(result)};
  dispatch.push = plan::PushWords{}.u32(n, blocks);
  dispatch.cost.flops = 4 * n * blocks;
  builder.dispatch(std::move(dispatch));
}

}  // namespace vkgpt::ops
