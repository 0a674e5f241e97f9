#include "vkgpt/ops/residual.hpp"

#include <utility>

#include "vkgpt/core/check.hpp"
#include "vkgpt/ops/launch.hpp"

#include "ops/work_slices.hpp"

namespace vkgpt::ops {

void residual_forward(plan::PlanBuilder& builder, const plan::Tensor& x, const plan::Tensor& y,
                      const plan::Tensor& z) {
  VKGPT_CHECK(x.shape == z.shape && y.shape == z.shape, "{} + {} -> {}", x.shape.to_string(),
              y.shape.to_string(), z.shape.to_string());
  const vk::DeviceCaps& caps = builder.caps();
  const plan::Macros macros =
      plan::Macros{}.dtype("X_DTYPE", x.dtype).dtype("Y_DTYPE", y.dtype).dtype("Z_DTYPE", z.dtype);
  for (const Slice slice : work_slices(builder, {z, x, y})) {
    plan::Dispatch dispatch = elementwise(caps, "residual_forward", slice.count, macros);
    dispatch.bindings = {elements(plan::read(x), slice, x.dtype), elements(plan::read(y), slice, y.dtype),
                         elements(plan::write(z), slice, z.dtype)};
    dispatch.push = plan::PushWords{}.u32(slice.count);
    dispatch.cost.flops = slice.count;
    builder.dispatch(std::move(dispatch));
  }
}

}  // namespace vkgpt::ops
