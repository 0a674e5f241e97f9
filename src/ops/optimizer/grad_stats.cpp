#include "vkgpt/ops/optimizer/grad_stats.hpp"

#include <utility>

#include "vkgpt/core/check.hpp"
#include "vkgpt/ops/launch.hpp"

namespace vkgpt::ops {

void grad_stats(plan::PlanBuilder& builder, std::span<const plan::Tensor> tensors,
                const plan::Tensor& result) {
  const auto n = static_cast<std::int64_t>(tensors.size());
  VKGPT_CHECK(n > 0 && result.shape == Shape({n, 4}), "{} tensors for {}", n, result.shape.to_string());
  const vk::DeviceCaps& caps = builder.caps();
  const std::uint32_t subgroups = subgroups_per_workgroup(caps);
  const std::int64_t blocks = reduction_blocks(caps) / 4;
  const plan::Tensor partials = builder.transient("stats_partials", {n, blocks, 4});

  for (std::int64_t i = 0; i < n; ++i) {
    const plan::Tensor& tensor = tensors[static_cast<std::size_t>(i)];
    const bool is_16bit = dtype_size(tensor.dtype) == 2;
    VKGPT_CHECK(!is_16bit || caps.storage_16bit, "statistics of {} need 16-bit storage",
                dtype_name(tensor.dtype));
    for (const Slice slice : element_slices(caps, tensor.shape.numel(), slice_granule(is_16bit))) {
      plan::Dispatch dispatch =
          workgroups(caps, "grad_stats_partial", blocks, subgroups, {dtype_macro(tensor.dtype)});
      if (slice.first > 0) dispatch.kernel.macros.push_back({"ACCUMULATE", "1"});
      const plan::Binding out = slice.first > 0 ? plan::read_write(partials) : plan::write(partials);
      dispatch.bindings = {elements(plan::read(tensor), slice, tensor.dtype),
                           matrix_rows(out, blocks * 4, {i, 1})};
      dispatch.push = plan::PushWords{}
                          .u32(static_cast<std::uint64_t>(slice.count))
                          .u32(static_cast<std::uint64_t>(blocks))
                          .u32(reduction_block_size(slice.count, blocks));
      dispatch.cost.flops = 3 * static_cast<std::uint64_t>(slice.count);
      builder.dispatch(std::move(dispatch));
    }
  }

  plan::Dispatch dispatch = workgroups(caps, "grad_stats_final", n, 1);
  dispatch.bindings = {plan::read(partials), plan::write(result)};
  dispatch.push =
      plan::PushWords{}.u32(static_cast<std::uint64_t>(n)).u32(static_cast<std::uint64_t>(blocks));
  dispatch.cost.flops = 4 * static_cast<std::uint64_t>(n * blocks);
  builder.dispatch(std::move(dispatch));
}

}  // namespace vkgpt::ops
