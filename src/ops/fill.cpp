#include "vkgpt/ops/fill.hpp"

#include <utility>

#include "vkgpt/core/check.hpp"
#include "vkgpt/ops/launch.hpp"

namespace vkgpt::ops {

void fill(plan::PlanBuilder& builder, const plan::Tensor& t, std::uint32_t word) {
  VKGPT_CHECK(dtype_size(t.dtype) == sizeof(word), "fill of {}", dtype_name(t.dtype));
  for (const Slice slice : element_slices(builder.caps(), t.shape.numel())) {
    plan::Dispatch dispatch = elementwise(builder.caps(), "fill", slice.count);
    dispatch.bindings = {elements(plan::write(t), slice)};
    dispatch.push = plan::PushWords{}.u32(static_cast<std::uint64_t>(slice.count)).u32(word);
    builder.dispatch(std::move(dispatch));
  }
}

void zero(plan::PlanBuilder& builder, const plan::Tensor& t) {
  fill(builder, t, 0);
}

}  // namespace vkgpt::ops
