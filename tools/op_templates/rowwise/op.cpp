#include <optional>
#include <utility>

#include "vkgpt/core/check.hpp"
#include "vkgpt/ops/NAME.hpp"
#include "vkgpt/ops/launch.hpp"

namespace vkgpt::ops {
namespace {

/// The kernel over the rows of x; `dy` is given for the backward.
void append(plan::PlanBuilder& builder, const plan::Tensor& x, const std::optional<plan::Tensor>& dy,
            const plan::Tensor& result, float eps) {
  for (const plan::Tensor& t : {dy.value_or(x), result}) {
    VKGPT_CHECK(t.shape == x.shape && t.dtype == x.dtype, "{} {} beside x {} {}", dtype_name(t.dtype),
                t.shape.to_string(), dtype_name(x.dtype), x.shape.to_string());
  }
  const std::int64_t C = x.shape.back();
  const plan::Macros macros = plan::Macros{}.dtype("DTYPE", x.dtype).flag("BACKWARD", dy.has_value());
  for (const Slice slice :
       row_slices(builder.caps(), x.shape.rows(), C * dtype_size(x.dtype), slice_granule(any_16bit({x})))) {
    plan::Dispatch dispatch = subgroup_per_row(builder.caps(), "NAME", slice.count, macros);
    dispatch.bindings = {matrix_rows(plan::read(x), C, slice, x.dtype)};
    if (dy) dispatch.bindings.push_back(matrix_rows(plan::read(*dy), C, slice, x.dtype));
    dispatch.bindings.push_back(matrix_rows(plan::write(result), C, slice, x.dtype));
    dispatch.push = plan::PushWords{}.u32(slice.count, C).f32(eps);
    dispatch.cost.flops = (dy ? 9 : 4) * slice.count * C;
    builder.dispatch(std::move(dispatch));
  }
}

}  // namespace

void NAME_forward(plan::PlanBuilder& builder, const plan::Tensor& x, const plan::Tensor& y, float eps) {
  append(builder, x, std::nullopt, y, eps);
}

void NAME_backward(plan::PlanBuilder& builder, const plan::Tensor& dy, const plan::Tensor& x,
                   const plan::Tensor& dx, float eps) {
  append(builder, x, dy, dx, eps);
}

}  // namespace vkgpt::ops
