#include "vkgpt/ops/optimizer_lion.hpp"

#include <utility>

#include "vkgpt/core/check.hpp"
#include "vkgpt/ops/launch.hpp"
#include "vkgpt/ops/step_params.hpp"

namespace vkgpt::ops {

void optimizer_lion(plan::PlanBuilder& builder, const OptimizerLion& args, const Lion& constants) {
  const std::int64_t n = args.weights.shape.numel();
  for (const plan::Tensor* t : {&args.weights, &args.gradients, &args.m}) {
    VKGPT_CHECK(t->shape == Shape{n} && t->dtype == DType::kF32, "{} beside {} weights", t->shape.to_string(),
                n);
  }
  VKGPT_CHECK(args.decay.shape == Shape{(n + 2047) / 2048}, "decay {}", args.decay.shape.to_string());
  VKGPT_CHECK(!args.active || args.active->shape == args.decay.shape, "active {}",
              args.active->shape.to_string());
  VKGPT_CHECK(args.norm.shape == Shape{4}, "norm {}", args.norm.shape.to_string());

  for (const Slice slice : element_slices(builder.caps(), n)) {
    const auto count = static_cast<std::uint64_t>(slice.count);
    plan::Dispatch dispatch = elementwise(builder.caps(), "optimizer_lion", slice.count);
    dispatch.bindings = {elements(plan::read_write(args.weights), slice),
                         elements(plan::read(args.gradients), slice),
                         elements(plan::read_write(args.m), slice),
                         plan::read(args.decay),
                         plan::read(args.norm),
                         plan::read(step_params(builder))};
    if (args.active) {
      dispatch.kernel.macros.push_back({"ACTIVE", "1"});
      dispatch.bindings.push_back(plan::read(*args.active));
    }
    dispatch.push = plan::PushWords{}
                        .u32(count)
                        .u32(static_cast<std::uint64_t>(slice.first))
                        .f32(static_cast<float>(constants.beta1))
                        .f32(static_cast<float>(1.0 - constants.beta1))
                        .f32(static_cast<float>(constants.beta2))
                        .f32(static_cast<float>(1.0 - constants.beta2))
                        .f32(static_cast<float>(constants.weight_decay));
    dispatch.cost.flops = 11 * count;
    builder.dispatch(std::move(dispatch));
  }
}

}  // namespace vkgpt::ops
