#include "vkgpt/ops/fill.hpp"

#include <utility>

#include "vkgpt/ops/launch.hpp"

#include "ops/work_slices.hpp"

namespace vkgpt::ops {

void fill(plan::PlanBuilder& builder, const plan::Tensor& t, std::uint32_t bits) {
  const vk::DeviceCaps& caps = builder.caps();
  const bool is_16bit = dtype_size(t.dtype) == 2;
  for (const Slice slice : work_slices(builder, {t})) {
    const std::int64_t words = slice.count / (is_16bit ? 1 : f32_width(caps, slice.count));
    plan::Dispatch dispatch = elementwise(
        caps, "fill", words,
        is_16bit ? plan::Macros{}.flag("IS_16BIT") : plan::Macros{}.value("WIDTH", slice.count / words));
    dispatch.bindings = {elements(plan::write(t), slice, t.dtype)};
    dispatch.push = plan::PushWords{}.u32(words, bits);
    builder.dispatch(std::move(dispatch));
  }
}

void zero(plan::PlanBuilder& builder, const plan::Tensor& t) {
  fill(builder, t, 0);
}

}  // namespace vkgpt::ops
