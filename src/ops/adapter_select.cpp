#include "vkgpt/ops/adapter_select.hpp"

#include <utility>

#include "vkgpt/core/check.hpp"
#include "vkgpt/ops/launch.hpp"

namespace vkgpt::ops {

void adapter_select(plan::PlanBuilder& builder, const plan::Tensor& hidden, const plan::Tensor& owners,
                    const plan::Tensor& adapters) {
  const std::int64_t R = hidden.shape.back(), rows = hidden.shape.rows();
  VKGPT_CHECK(owners.shape.numel() == R && adapters.shape.numel() == rows && owners.dtype == DType::kI32 &&
                  adapters.dtype == DType::kI32,
              "hidden {}, owners {} {}, adapters {} {}", hidden.shape.to_string(), dtype_name(owners.dtype),
              owners.shape.to_string(), dtype_name(adapters.dtype), adapters.shape.to_string());
  for (const Slice slice :
       row_slices(builder.caps(), rows, R * dtype_size(hidden.dtype), slice_granule(any_16bit({hidden})))) {
    plan::Dispatch dispatch = elementwise(builder.caps(), "adapter_select", slice.count * R,
                                          plan::Macros{}.dtype("DTYPE", hidden.dtype));
    dispatch.bindings = {matrix_rows(plan::read_write(hidden), R, slice, hidden.dtype), plan::read(owners),
                         elements(plan::read(adapters), slice)};
    dispatch.push = plan::PushWords{}.u32(slice.count * R, R);
    dispatch.cost = {.flops = 0,
                     .bytes = 2 * slice.count * R * dtype_size(hidden.dtype) + 4 * (R + slice.count)};
    builder.dispatch(std::move(dispatch));
  }
}

}  // namespace vkgpt::ops
