#pragma once

#include <cstdint>
#include <optional>

#include "vkgpt/plan/plan_builder.hpp"

namespace vkgpt::ops {

/// The state that optimizers read, a persistent tensor (4) u32 that never leaves the GPU:
/// the bits of the norm, the bits of the clip scale, 1 if the step must be skipped, steps skipped so far.
plan::Tensor global_norm_state(plan::PlanBuilder& builder);

/// Norm of the flat gradient arena `gradients` (N) over all its elements, in two stages of fixed order, into
/// `state`: norm, clip_scale = min(1, clip / (norm + 1e-6)) as torch.nn.utils.clip_grad_norm_ has it (1 when
/// clip <= 0), and the skip flag. The flag is set by a NaN or Inf among the gradients, by a sum of squares
/// beyond fp32, and by a loss in `accumulator` (see `loss_accumulator`) that is not finite.
/// With `loss_scale` (see `loss_scale_state`) the gradients are those of the scaled loss: the norm is that of
/// the unscaled ones, and the clip scale includes 1 / scale, so that optimizers need not know. With
/// `positions` and an accumulator the gradients are those of the sum of the losses / positions; norm and clip
/// scale are then of the mean over the rows that the accumulator counted.
void global_norm(plan::PlanBuilder& builder, const plan::Tensor& gradients, float clip,
                 const plan::Tensor& state, const std::optional<plan::Tensor>& accumulator = {},
                 const std::optional<plan::Tensor>& loss_scale = {}, std::int64_t positions = 0);

/// The first stage for a part of the gradients: partials (blocks, 2) are sums of squares and whether a block
/// holds a NaN or Inf. At most max_storage_buffer_range bytes.
void global_norm_partials(plan::PlanBuilder& builder, const plan::Tensor& gradients,
                          const plan::Tensor& partials);

/// The second stage for `partials` (blocks, 2) of all parts, in their order.
void global_norm_decide(plan::PlanBuilder& builder, const plan::Tensor& partials, float clip,
                        const plan::Tensor& state, const std::optional<plan::Tensor>& accumulator = {},
                        const std::optional<plan::Tensor>& loss_scale = {}, std::int64_t positions = 0);

}  // namespace vkgpt::ops
