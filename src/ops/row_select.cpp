#include "vkgpt/ops/row_select.hpp"

#include "vkgpt/core/check.hpp"
#include "vkgpt/ops/launch.hpp"
#include "vkgpt/ops/step_params.hpp"

#include "ops/grid.hpp"

namespace vkgpt::ops {

using namespace plan;

void row_select_forward(PlanBuilder& builder, const Tensor& x, const Tensor& y) {
  VKGPT_CHECK(x.shape.rank() == 3 && y.shape == Shape({x.shape[0], x.shape[2]}) && x.dtype == y.dtype,
              "x {} y {}", x.shape.to_string(), y.shape.to_string());
  const std::uint32_t workgroup = elementwise_workgroup(builder.caps());
  const std::int64_t elements = y.shape.numel();
  builder.dispatch({.kernel = {"row_select_forward", plan::Macros{}.dtype("DTYPE", x.dtype), {workgroup}},
                    .bindings = {read(x), read(step_params(builder)), write(y)},
                    .push = PushWords{}.u32(x.shape[0], x.shape[1], x.shape[2]),
                    .groups = fold_grid(builder.caps(), ceil_div(elements, workgroup)),
                    .cost = {.flops = 0, .bytes = 2 * elements * dtype_size(x.dtype)}});
}

}  // namespace vkgpt::ops
