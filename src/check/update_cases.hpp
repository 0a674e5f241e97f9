#pragma once

#include <span>
#include <vector>

#include "vkgpt/check/op_table.hpp"
#include "vkgpt/check/update_rules.hpp"
#include "vkgpt/ops/optimizer/optimizer.hpp"

namespace vkgpt::check {

/// A part of `ops::OptimizerArenas` in double precision.
struct UpdateSpans {
  std::span<double> weights;
  View gradient;
  std::span<double> m, v;
};

/// An elementwise optimizer: what it appends to a plan, and its definition for step `step` (from 1) with the
/// learning rate `kUpdateLearningRate`.
struct UpdateOp {
  void (*append)(plan::PlanBuilder& builder, const ops::OptimizerArenas& arenas);
  void (*rule)(const UpdateSpans& spans, std::int64_t step, double weight_decay, double grad_scale);
  double weight_decay;             // of elements that decay
  bool has_second_moment = false;  // without it the arenas have no v, and `v` is not to be touched
};

inline constexpr double kUpdateLearningRate = 3e-3;

/// The cases of such an optimizer: steps with clipping and partial decay, skipped steps, gradients that are
/// zero or not finite, arenas that it shares with others; and a step of real size that is timed.
std::vector<Case> update_cases(const UpdateOp& op);

}  // namespace vkgpt::check
