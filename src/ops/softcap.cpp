#include "vkgpt/ops/softcap.hpp"

#include <utility>

#include "vkgpt/core/check.hpp"
#include "vkgpt/ops/launch.hpp"

#include "ops/work_slices.hpp"

namespace vkgpt::ops {

void softcap_forward(plan::PlanBuilder& builder, const plan::Tensor& x, const plan::Tensor& y, double cap) {
  const vk::DeviceCaps& caps = builder.caps();
  VKGPT_CHECK(x.shape == y.shape && cap > 0, "{} capped by {} -> {}", x.shape.to_string(), cap,
              y.shape.to_string());
  const plan::Macros macros = plan::Macros{}.dtype("X_DTYPE", x.dtype).dtype("Y_DTYPE", y.dtype);
  for (const Slice slice : work_slices(builder, {x, y})) {
    plan::Dispatch dispatch = elementwise(caps, "softcap_forward", slice.count, macros);
    dispatch.bindings = {elements(plan::read(x), slice, x.dtype), elements(plan::write(y), slice, y.dtype)};
    dispatch.push = plan::PushWords{}.u32(slice.count).f32(cap);
    dispatch.cost.flops = 30 * slice.count;  // an exponential or a division counts as ten
    builder.dispatch(std::move(dispatch));
  }
}

}  // namespace vkgpt::ops
