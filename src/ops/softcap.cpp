#include "vkgpt/ops/softcap.hpp"

#include <utility>
#include <vector>

#include "vkgpt/core/check.hpp"
#include "vkgpt/ops/launch.hpp"

namespace vkgpt::ops {

void softcap_forward(plan::PlanBuilder& builder, const plan::Tensor& x, const plan::Tensor& y, double cap) {
  const vk::DeviceCaps& caps = builder.caps();
  VKGPT_CHECK(x.shape == y.shape && cap > 0, "{} capped by {} -> {}", x.shape.to_string(), cap,
              y.shape.to_string());
  const std::vector<vk::Macro> macros{dtype_macro(caps, x, "X_DTYPE"), dtype_macro(caps, y, "Y_DTYPE")};
  for (const Slice slice : element_slices(caps, x.shape.numel(), slice_granule(any_16bit({x, y})))) {
    const auto count = static_cast<std::uint64_t>(slice.count);
    plan::Dispatch dispatch = elementwise(caps, "softcap_forward", slice.count, macros);
    dispatch.bindings = {elements(plan::read(x), slice, x.dtype), elements(plan::write(y), slice, y.dtype)};
    dispatch.push = plan::PushWords{}.u32(count).f32(static_cast<float>(cap));
    dispatch.cost.flops = 30 * count;  // an exponential or a division counts as ten
    builder.dispatch(std::move(dispatch));
  }
}

}  // namespace vkgpt::ops
