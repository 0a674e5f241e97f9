#include <optional>
#include <utility>

#include "vkgpt/core/check.hpp"
#include "vkgpt/ops/NAME.hpp"
#include "vkgpt/ops/launch.hpp"

namespace vkgpt::ops {
namespace {

/// The kernel over the elements of x; `dy` is given for the backward.
void append(plan::PlanBuilder& builder, const plan::Tensor& x, const std::optional<plan::Tensor>& dy,
            const plan::Tensor& result) {
  for (const plan::Tensor& t : {dy.value_or(x), result}) {
    VKGPT_CHECK(t.shape == x.shape && t.dtype == x.dtype, "{} {} beside x {} {}", dtype_name(t.dtype),
                t.shape.to_string(), dtype_name(x.dtype), x.shape.to_string());
  }
  const plan::Macros macros = plan::Macros{}.dtype("DTYPE", x.dtype).flag("BACKWARD", dy.has_value());
  for (const Slice slice : element_slices(builder, {x, result})) {
    plan::Dispatch dispatch = elementwise(builder.caps(), "NAME", slice.count, macros);
    dispatch.bindings = {elements(plan::read(x), slice, x.dtype)};
    if (dy) dispatch.bindings.push_back(elements(plan::read(*dy), slice, x.dtype));
    dispatch.bindings.push_back(elements(plan::write(result), slice, x.dtype));
    dispatch.push = plan::PushWords{}.u32(slice.count);
    dispatch.cost.flops = 12 * slice.count;  // an exponential or a division counts as ten
    builder.dispatch(std::move(dispatch));
  }
}

}  // namespace

void NAME_forward(plan::PlanBuilder& builder, const plan::Tensor& x, const plan::Tensor& y) {
  append(builder, x, std::nullopt, y);
}

void NAME_backward(plan::PlanBuilder& builder, const plan::Tensor& dy, const plan::Tensor& x,
                   const plan::Tensor& dx) {
  append(builder, x, dy, dx);
}

}  // namespace vkgpt::ops
