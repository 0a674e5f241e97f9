#include "vkgpt/ops/cast.hpp"

#include <utility>

#include "vkgpt/core/check.hpp"
#include "vkgpt/ops/launch.hpp"

#include "ops/work_slices.hpp"

namespace vkgpt::ops {

void cast(plan::PlanBuilder& builder, const plan::Tensor& x, const plan::Tensor& y, float scale) {
  VKGPT_CHECK(x.shape.numel() == y.shape.numel(), "cast of {} -> {}", x.shape.to_string(),
              y.shape.to_string());
  const vk::DeviceCaps& caps = builder.caps();
  for (const Slice slice : work_slices(builder, {x, y})) {
    plan::Dispatch dispatch = elementwise(caps, "cast", slice.count,
                                          plan::Macros{}.dtype("X_DTYPE", x.dtype).dtype("Y_DTYPE", y.dtype));
    dispatch.bindings = {elements(plan::read(x), slice, x.dtype), elements(plan::write(y), slice, y.dtype)};
    dispatch.push = plan::PushWords{}.u32(slice.count).f32(scale);
    dispatch.cost.flops = slice.count;
    builder.dispatch(std::move(dispatch));
  }
}

}  // namespace vkgpt::ops
