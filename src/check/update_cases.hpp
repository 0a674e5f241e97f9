#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "vkgpt/check/op_table.hpp"
#include "vkgpt/check/update_rules.hpp"
#include "vkgpt/ops/optimizer/optimizer.hpp"

namespace vkgpt::check {

/// The flat arenas of an optimizer that treats elements one by one.
struct UpdateTensors {
  plan::Tensor weights, gradients, m, v;    // (N)
  plan::Tensor decay, norm;                 // see ops::decay_bits, ops::global_norm
  std::optional<plan::Tensor> active = {};  // see ops::active_bits
};

/// A part of those arenas in double precision.
struct UpdateSpans {
  std::span<double> weights;
  View gradient;
  std::span<double> m, v;
};

/// An elementwise optimizer: what it appends to a plan, and its definition for step `step` (from 1) with the
/// learning rate `kUpdateLearningRate`.
struct UpdateOp {
  void (*append)(plan::PlanBuilder& builder, const UpdateTensors& tensors);
  void (*rule)(const UpdateSpans& spans, std::int64_t step, double weight_decay, double grad_scale);
  double weight_decay;  // of elements that decay
};

inline constexpr double kUpdateLearningRate = 3e-3;

/// The cases of such an optimizer: steps with clipping and partial decay, skipped steps, gradients that are
/// zero or not finite, arenas that it shares with others.
std::vector<Case> update_cases(const UpdateOp& op);

}  // namespace vkgpt::check
