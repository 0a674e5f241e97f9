#include "vkgpt/ops/optimizer/optimizer_lion.hpp"

#include "vkgpt/core/check.hpp"

namespace vkgpt::ops {

void optimizer_lion(plan::PlanBuilder& builder, const OptimizerArenas& arenas, const Lion& constants) {
  VKGPT_CHECK(!arenas.copy, "Lion writes no copy");
  VKGPT_CHECK(!arenas.v, "Lion has no second moment");
  const auto& [beta1, beta2, weight_decay] = constants;
  elementwise_update(builder, arenas,
                     {.stem = "optimizer_lion",
                      .constants = {beta1, 1.0 - beta1, beta2, 1.0 - beta2, weight_decay},
                      .flops = 11});
}

}  // namespace vkgpt::ops
