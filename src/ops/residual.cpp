#include "vkgpt/ops/residual.hpp"

#include <utility>

#include "vkgpt/core/check.hpp"
#include "vkgpt/ops/launch.hpp"

namespace vkgpt::ops {

void residual_forward(plan::PlanBuilder& builder, const plan::Tensor& x, const plan::Tensor& y,
                      const plan::Tensor& z) {
  VKGPT_CHECK(x.shape == z.shape && y.shape == z.shape, "{} + {} -> {}", x.shape.to_string(),
              y.shape.to_string(), z.shape.to_string());
  for (const Slice slice : element_slices(builder.caps(), z.shape.numel())) {
    const auto count = static_cast<std::uint64_t>(slice.count);
    plan::Dispatch dispatch = elementwise(builder.caps(), "residual_forward", slice.count);
    dispatch.bindings = {elements(plan::read(x), slice), elements(plan::read(y), slice),
                         elements(plan::write(z), slice)};
    dispatch.push = plan::PushWords{}.u32(count);
    dispatch.cost.flops = count;
    builder.dispatch(std::move(dispatch));
  }
}

}  // namespace vkgpt::ops
