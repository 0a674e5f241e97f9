#include "vkgpt/ops/NAME.hpp"

namespace vkgpt::ops {

void NAME_update(plan::PlanBuilder& builder, const OptimizerArenas& arenas, const NAMEConstants& constants) {
  const auto& [beta, weight_decay] = constants;
  elementwise_update(builder, arenas,
                     {.stem = "NAME", .constants = {beta, 1.0 - beta, weight_decay}, .flops = 7});
}

}  // namespace vkgpt::ops
