#include "vkgpt/ops/copy.hpp"

#include <utility>

#include "vkgpt/core/check.hpp"
#include "vkgpt/ops/launch.hpp"

#include "ops/work_slices.hpp"

namespace vkgpt::ops {

void copy(plan::PlanBuilder& builder, const plan::Tensor& x, const plan::Tensor& y) {
  VKGPT_CHECK(x.dtype == y.dtype && x.shape.numel() == y.shape.numel(), "copy of {} {} to {} {}",
              dtype_name(x.dtype), x.shape.to_string(), dtype_name(y.dtype), y.shape.to_string());
  const vk::DeviceCaps& caps = builder.caps();
  const bool is_16bit = dtype_size(x.dtype) == 2;
  for (const Slice slice : work_slices(builder, {x, y}, slice_granule(is_16bit))) {
    const bool is_odd = is_16bit && slice.count % 2 != 0;
    const std::int64_t singles = is_16bit && !is_odd ? slice.count / 2 : slice.count;
    const std::int64_t width = is_odd ? 1 : f32_width(caps, singles);
    plan::Dispatch dispatch =
        elementwise(caps, "copy", singles / width,
                    is_odd ? plan::Macros{}.flag("IS_16BIT") : plan::Macros{}.value("WIDTH", width));
    dispatch.bindings = {elements(plan::read(x), slice, x.dtype), elements(plan::write(y), slice, y.dtype)};
    dispatch.push = plan::PushWords{}.u32(singles / width);
    builder.dispatch(std::move(dispatch));
  }
}

}  // namespace vkgpt::ops
