#include "vkgpt/ops/NAME.hpp"

#include "check/update_cases.hpp"

namespace vkgpt::check {
namespace {

constexpr ops::NAMEConstants kConstants;

/// The definition, for step `step` from 1.
void update(const UpdateSpans& x, std::int64_t /*step*/, double decay, double grad_scale) {
  for (std::size_t i = 0; i < x.weights.size(); ++i) {
    x.m[i] = kConstants.beta * x.m[i] + (1.0 - kConstants.beta) * grad_scale * x.gradient[i];
    x.weights[i] -= kUpdateLearningRate * (x.m[i] + decay * x.weights[i]);
  }
}

}  // namespace

std::vector<Case> NAME_cases() {
  return update_cases(
      {.append = [](plan::PlanBuilder& builder,
                    const ops::OptimizerArenas& arenas) { ops::NAME_update(builder, arenas, kConstants); },
       .rule = update,
       .weight_decay = kConstants.weight_decay});
}

}  // namespace vkgpt::check
