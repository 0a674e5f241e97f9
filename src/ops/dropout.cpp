#include "vkgpt/ops/dropout.hpp"

#include <utility>

#include "vkgpt/core/check.hpp"
#include "vkgpt/ops/launch.hpp"
#include "vkgpt/ops/step_params.hpp"

#include "ops/grid.hpp"
#include "ops/work_slices.hpp"

namespace vkgpt::ops {
namespace {

constexpr std::int64_t kFlops = 60;  // of one element's quarter of ten Philox rounds

}  // namespace

void dropout(plan::PlanBuilder& builder, const plan::Tensor& x, const plan::Tensor& y,
             const Dropout& dropout) {
  const std::int64_t n = y.shape.numel();
  VKGPT_CHECK(x.shape.numel() == n, "dropout of {} -> {}", x.shape.to_string(), y.shape.to_string());
  VKGPT_CHECK(dropout.p >= 0 && dropout.p < 1 && dropout.site < 1U << 24, "dropout {} at site {}", dropout.p,
              dropout.site);
  const plan::Macros macros = plan::Macros{}.dtype("X_DTYPE", x.dtype).dtype("Y_DTYPE", y.dtype);
  for (const Slice slice : work_slices(builder, {y, x})) {
    const std::int64_t blocks = ceil_div(slice.count, 4);
    // A block is four elements and a draw: an invocation needs few of them to be worth its start.
    const std::uint32_t items = builder.caps().is_cpu() ? 4 : 1;
    plan::Dispatch dispatch = elementwise(builder.caps(), "dropout", blocks, macros, items);
    dispatch.bindings = {elements(plan::read(x), slice, x.dtype), elements(plan::write(y), slice, y.dtype),
                         plan::read(step_params(builder))};
    dispatch.push = plan::PushWords{}
                        .u32(slice.count, blocks, slice.first / 4, dropout.site)
                        .f32(dropout.p, 1.0 / (1.0 - dropout.p));
    dispatch.cost.flops = kFlops * slice.count;
    builder.dispatch(std::move(dispatch));
  }
}

}  // namespace vkgpt::ops
