#include "vkgpt/ops/fill.hpp"

#include <algorithm>
#include <utility>
#include <vector>

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

void zero_discarded(plan::PlanBuilder& builder, const plan::Tensor& t) {
  for (const plan::Tensor& part : builder.discarded(t)) zero(builder, part);
}

bool adds_to(plan::PlanBuilder& builder, std::span<const plan::Tensor> sums) {
  const auto is_discarded = [&](const plan::Tensor& t) {
    std::int64_t elements = 0;
    for (const plan::Tensor& part : builder.discarded(t)) elements += part.shape.numel();
    return elements == t.shape.numel();
  };
  if (std::ranges::all_of(sums, is_discarded)) return false;
  for (const plan::Tensor& sum : sums) zero_discarded(builder, sum);
  return true;
}

}  // namespace vkgpt::ops
