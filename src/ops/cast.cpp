#include "vkgpt/ops/cast.hpp"

#include <utility>

#include "vkgpt/core/check.hpp"
#include "vkgpt/ops/launch.hpp"

namespace vkgpt::ops {

void cast(plan::PlanBuilder& builder, const plan::Tensor& x, const plan::Tensor& y, float scale) {
  VKGPT_CHECK(x.shape.numel() == y.shape.numel(), "cast of {} -> {}", x.shape.to_string(),
              y.shape.to_string());
  const vk::DeviceCaps& caps = builder.caps();
  const bool has_16bit = dtype_size(x.dtype) == 2 || dtype_size(y.dtype) == 2;
  VKGPT_CHECK(!has_16bit || caps.storage_16bit, "cast of {} -> {} needs 16-bit storage", dtype_name(x.dtype),
              dtype_name(y.dtype));
  for (const Slice slice : element_slices(caps, x.shape.numel(), slice_granule(has_16bit))) {
    const auto count = static_cast<std::uint64_t>(slice.count);
    plan::Dispatch dispatch = elementwise(caps, "cast", slice.count,
                                          {dtype_macro(x.dtype, "X_DTYPE"), dtype_macro(y.dtype, "Y_DTYPE")});
    dispatch.bindings = {elements(plan::read(x), slice, x.dtype), elements(plan::write(y), slice, y.dtype)};
    dispatch.push = plan::PushWords{}.u32(count).f32(scale);
    dispatch.cost.flops = count;
    builder.dispatch(std::move(dispatch));
  }
}

}  // namespace vkgpt::ops
