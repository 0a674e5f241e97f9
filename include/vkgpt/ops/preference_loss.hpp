#pragma once

#include <optional>

#include "vkgpt/plan/plan_builder.hpp"

namespace vkgpt::ops {

/// Direct preference optimization (Rafailov et al., arXiv:2305.18290): pairs of a reply that was chosen and
/// one that was rejected, each a stretch of rows.
struct PreferenceLoss {
  plan::Tensor losses;  // any shape, f32: -log p of each row's target, 0 where it does not count
  plan::Tensor pairs;   // (P, 4) i32: rows [first, end) of the chosen, then of the rejected; empty: no pair
  plan::Tensor reference;    // (P, 2) f32: sums of log p of both that the reference gives
  plan::Tensor scores;       // (P, 2) f32, out: those of the model
  plan::Tensor pair_losses;  // (P) f32, out: 0 where there is no pair
  plan::Tensor counted;      // (P) i32, out: 0, or -1 where there is no pair: targets of `loss_sum`
  plan::Tensor sums;         // `preference_sums`, added to
  std::optional<plan::Tensor> weights = {};  // as losses, out: d loss / d losses in rows of pairs
  double beta = 0.1;
  double label_smoothing = 0;  // the share of pairs that are taken for the wrong way round, 0 to 0.5
};

/// pair_losses = -(1 - s) log sigmoid(h) - s log sigmoid(-h) with h = beta ((chosen - its reference) -
/// (rejected - its reference)), the "sigmoid" loss of TRL (s as its versions before 1 had it). Rows of pairs
/// do not overlap. Sums have a fixed order.
void preference_loss(plan::PlanBuilder& builder, const PreferenceLoss& args);

/// A persistent tensor (4) f32 that sums over micro-steps or evaluation batches: beta (score - reference) of
/// the chosen, and of the rejected; pairs with the chosen above the rejected; pairs. `zero` resets it.
plan::Tensor preference_sums(plan::PlanBuilder& builder, std::string_view name);

}  // namespace vkgpt::ops
