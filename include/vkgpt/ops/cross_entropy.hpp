#pragma once

#include <cstdint>
#include <optional>

#include "vkgpt/plan/plan_builder.hpp"

namespace vkgpt::ops {

struct CrossEntropy {
  plan::Tensor logits;         // (rows, Vp)
  plan::Tensor targets;        // any shape, i32; `rows` of them from `first_row` on belong to the logits
  plan::Tensor losses;         // as many as targets, f32, out: nats
  std::int64_t first_row = 0;  // so that a classifier can work through the rows in chunks
  std::int64_t V = 0;          // real columns of the logits, the others are padding
};

/// losses[row] = -log softmax(logits[row, 0..V))[target], 0 where the target is negative (ignored).
void cross_entropy_forward(plan::PlanBuilder& builder, const CrossEntropy& args);

/// The same, and the logits become their own gradient: dlogits = (softmax - onehot) * grad_scale; 0 in the
/// padding and in ignored rows. For the gradient of a mean, grad_scale is 1 / (positions of the whole step).
void cross_entropy_fused(plan::PlanBuilder& builder, const CrossEntropy& args, float grad_scale);

/// A persistent tensor (2) u32 that sums losses over micro-steps or evaluation batches: the bits of the sum,
/// and how many rows counted. `zero` resets it.
plan::Tensor loss_accumulator(plan::PlanBuilder& builder, std::string_view name);

/// Adds the losses of the rows whose target is not negative to the accumulator, in a fixed order. `losses`
/// and `targets` have as many elements.
void loss_sum(plan::PlanBuilder& builder, const plan::Tensor& losses, const plan::Tensor& targets,
              const plan::Tensor& accumulator);

/// Writes {mean loss, gradient norm, clip scale, 1 if the step is skipped} to `result`, a readback tensor (4)
/// f32. Without `norm` (see `global_norm`) the last three are 0.
void loss_mean(plan::PlanBuilder& builder, const plan::Tensor& accumulator, const plan::Tensor& result,
               const std::optional<plan::Tensor>& norm = {});

}  // namespace vkgpt::ops
