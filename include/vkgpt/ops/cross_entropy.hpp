#pragma once

#include <cstdint>
#include <optional>

#include "vkgpt/plan/plan_builder.hpp"

namespace vkgpt::ops {

struct CrossEntropy {
  plan::Tensor logits;         // (rows, Vp), f32, f16 or bf16
  plan::Tensor targets;        // any shape, i32; `rows` of them from `first_row` on belong to the logits
  plan::Tensor losses;         // as many as targets, f32, out: nats
  std::int64_t first_row = 0;  // so that a classifier can work through the rows in chunks
  std::int64_t V = 0;          // real columns of the logits, the others are padding
  double softcap =
      0;  // z = softcap * tanh(logits / softcap) is classified (see `softcap_forward`); 0: logits
  std::optional<plan::Tensor> weights = {};  // as losses, f32: of `cross_entropy_fused`
};

/// losses[row] = -log softmax(z[row, 0..V))[target], 0 where the target is negative (ignored).
void cross_entropy_forward(plan::PlanBuilder& builder, const CrossEntropy& args);

/// Terms that a training objective adds to the plain loss.
struct LossShaping {
  double label_smoothing = 0;  // s, as torch has it: (1 - s) * loss + s * mean over 0..V of -log softmax(z)
  double z_loss = 0;           // adds z_loss * lse^2, lse = log sum exp z (PaLM, arXiv:2204.02311, section 5)
};

/// losses[row] = the objective, 0 in ignored rows, and the logits become its gradient times grad_scale:
/// without shaping dlogits = (softmax - onehot) * grad_scale; 0 in the padding and in ignored rows. For the
/// gradient of a mean, grad_scale is 1 / (positions of the whole step). With `loss_scale` (u32, word 0 the
/// bits of an f32, see `loss_scale_state`) dlogits are multiplied by that, too, and with `weights` those of a
/// row by its weight; losses never are.
void cross_entropy_fused(plan::PlanBuilder& builder, const CrossEntropy& args, float grad_scale,
                         const LossShaping& shaping = {}, const std::optional<plan::Tensor>& loss_scale = {});

/// A persistent tensor (2) u32 that sums losses over micro-steps or evaluation batches: the bits of the sum,
/// and how many rows counted. `zero` resets it.
plan::Tensor loss_accumulator(plan::PlanBuilder& builder, std::string_view name);

/// Adds the losses of the rows whose target is not negative to the accumulator, in a fixed order. `losses`
/// and `targets` have as many elements.
void loss_sum(plan::PlanBuilder& builder, const plan::Tensor& losses, const plan::Tensor& targets,
              const plan::Tensor& accumulator);

/// Writes {mean loss, gradient norm, clip scale, 1 if the step is skipped, loss scale, rows that counted,
/// positions / rows that counted (1 where positions is 0), 0} to `result`, a readback tensor (8) f32. Without
/// `norm` (see `global_norm`) the second to fourth are 0, without `loss_scale` (see `loss_scale_state`) the
/// fifth is 1.
void loss_mean(plan::PlanBuilder& builder, const plan::Tensor& accumulator, const plan::Tensor& result,
               const std::optional<plan::Tensor>& norm = {},
               const std::optional<plan::Tensor>& loss_scale = {}, std::int64_t positions = 0);

}  // namespace vkgpt::ops
