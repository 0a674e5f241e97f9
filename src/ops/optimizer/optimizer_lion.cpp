#include "vkgpt/ops/optimizer/optimizer_lion.hpp"

#include <utility>

#include "vkgpt/ops/launch.hpp"
#include "vkgpt/ops/step_params.hpp"

#include "ops/optimizer/optimizer_arenas.hpp"

namespace vkgpt::ops {

void optimizer_lion(plan::PlanBuilder& builder, const OptimizerLion& args, const Lion& constants) {
  const std::int64_t n = args.weights.shape.numel();
  const plan::Tensor* const arenas[] = {&args.weights, &args.gradients, &args.m};
  check_optimizer(n, arenas, args.decay, args.active, args.norm);

  for (const Slice slice : element_slices(builder.caps(), n)) {
    plan::Dispatch dispatch = elementwise(builder.caps(), "optimizer_lion", slice.count);
    dispatch.bindings = {elements(plan::read_write(args.weights), slice),
                         elements(plan::read(args.gradients), slice),
                         elements(plan::read_write(args.m), slice),
                         plan::read(args.decay),
                         plan::read(args.norm),
                         plan::read(step_params(builder))};
    if (args.active) {
      add_binding(dispatch, "ACTIVE", plan::read(*args.active));
    }
    dispatch.push = plan::PushWords{}
                        .u32(slice.count, slice.first)
                        .f32(constants.beta1, 1.0 - constants.beta1, constants.beta2, 1.0 - constants.beta2,
                             constants.weight_decay);
    dispatch.cost.flops = 11 * slice.count;
    builder.dispatch(std::move(dispatch));
  }
}

}  // namespace vkgpt::ops
