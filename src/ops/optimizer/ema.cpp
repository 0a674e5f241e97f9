#include "vkgpt/ops/optimizer/ema.hpp"

#include <utility>

#include "vkgpt/core/check.hpp"
#include "vkgpt/ops/launch.hpp"
#include "vkgpt/ops/step_params.hpp"

#include "ops/work_slices.hpp"

namespace vkgpt::ops {

void ema_update(plan::PlanBuilder& builder, const EmaUpdate& args) {
  const std::int64_t n = args.weights.shape.numel();
  for (const plan::Tensor* t : {&args.ema, &args.weights}) {
    VKGPT_CHECK(t->shape == Shape{n} && t->dtype == DType::kF32, "{} beside {} weights", t->shape.to_string(),
                n);
  }
  VKGPT_CHECK(args.norm.shape == Shape{4}, "norm {}", args.norm.shape.to_string());
  VKGPT_CHECK(args.decay >= 0 && args.decay < 1, "decay {}", args.decay);
  for (const Slice slice : work_slices(builder, {args.weights, args.ema})) {
    plan::Dispatch dispatch = elementwise(builder.caps(), "ema_update", slice.count);
    dispatch.bindings = {elements(plan::read_write(args.ema), slice),
                         elements(plan::read(args.weights), slice), plan::read(args.norm),
                         plan::read(step_params(builder))};
    dispatch.push = plan::PushWords{}.u32(slice.count).f32(1.0 - args.decay);
    dispatch.cost.flops = 3 * slice.count;
    builder.dispatch(std::move(dispatch));
  }
}

}  // namespace vkgpt::ops
