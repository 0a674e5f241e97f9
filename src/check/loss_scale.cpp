#include "vkgpt/ops/optimizer/loss_scale.hpp"

#include <bit>

#include "vkgpt/check/op_table.hpp"
#include "vkgpt/check/update_rules.hpp"

namespace vkgpt::check {
namespace {

struct Step {
  bool is_skipped;
  float scale;
  std::uint32_t clean_steps;  // since it changed
};

/// The scale and the clean steps after each step.
void course(Trial& t, const ops::LossScaling& scaling, const std::vector<Step>& steps) {
  const Operand state = t.given({4}, std::vector{scaling.initial, 0.0F, 0.0F, 0.0F}, DType::kU32);
  const Operand norm = t.zeros({4}, DType::kU32);
  ops::loss_scale_update(t.builder(), state, norm, scaling);
  for (const Step& step : steps) {
    t.replay({});
    t.put(norm, norm_state(1.0F, step.is_skipped));
    t.expect_exactly("scale and clean steps", state,
                     std::vector{step.scale, std::bit_cast<float>(step.clean_steps), 0.0F, 0.0F});
  }
}

}  // namespace

std::vector<Case> loss_scale_cases() {
  return {{.variant = "f32 doubles after clean steps and halves on a skip",
           .quick = true,
           .build =
               [](Trial& t) {
                 course(t, {.initial = 8, .min = 1, .max = 16777216, .growth_interval = 3},
                        {{false, 8, 1},
                         {false, 8, 2},
                         {false, 16, 0},
                         {false, 16, 1},
                         {true, 8, 0},
                         {false, 8, 1},
                         {false, 8, 2},
                         {false, 16, 0}});
               }},
          {.variant = "f32 stays within its bounds", .build = [](Trial& t) {
             course(t, {.initial = 2, .min = 1, .max = 4, .growth_interval = 1},
                    {{true, 1, 0}, {true, 1, 0}, {false, 2, 0}, {false, 4, 0}, {false, 4, 0}});
           }}};
}

}  // namespace vkgpt::check
