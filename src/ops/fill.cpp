#include "vkgpt/ops/fill.hpp"

#include <string>
#include <utility>

#include "vkgpt/core/check.hpp"
#include "vkgpt/ops/launch.hpp"

namespace vkgpt::ops {

void fill(plan::PlanBuilder& builder, const plan::Tensor& t, std::uint32_t bits) {
  const vk::DeviceCaps& caps = builder.caps();
  const bool is_16bit = dtype_size(t.dtype) == 2;
  VKGPT_CHECK(!is_16bit || caps.storage_16bit, "fill of {} needs 16-bit storage", dtype_name(t.dtype));
  for (const Slice slice : element_slices(caps, t.shape.numel(), slice_granule(is_16bit))) {
    const std::int64_t words = slice.count / (is_16bit ? 1 : f32_width(caps, slice.count));
    plan::Dispatch dispatch = elementwise(
        caps, "fill", words,
        {is_16bit ? vk::Macro{"IS_16BIT", "1"} : vk::Macro{"WIDTH", std::to_string(slice.count / words)}});
    dispatch.bindings = {elements(plan::write(t), slice, t.dtype)};
    dispatch.push = plan::PushWords{}.u32(static_cast<std::uint64_t>(words)).u32(bits);
    builder.dispatch(std::move(dispatch));
  }
}

void zero(plan::PlanBuilder& builder, const plan::Tensor& t) {
  fill(builder, t, 0);
}

}  // namespace vkgpt::ops
