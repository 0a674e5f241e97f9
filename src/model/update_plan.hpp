#pragma once

#include <optional>

#include "vkgpt/model/exchange_layout.hpp"
#include "vkgpt/model/gpt_params.hpp"
#include "vkgpt/model/train_step.hpp"
#include "vkgpt/plan/plan_builder.hpp"

namespace vkgpt::model {

/// Tensors that the update of a step reads and writes.
struct UpdateTensors {
  plan::Tensor params;                     // (arena) f32
  plan::Tensor grads;                      // (trainable) f32
  std::optional<plan::Tensor> matrices;    // (arena) copy in the activations' type
  std::optional<plan::Tensor> ema;         // (trainable)
  plan::Tensor loss;                       // loss accumulator
  std::optional<plan::Tensor> loss_scale;  // see ops::loss_scale_state
};

/// Appends the optimizer's step for elements `range` of the arenas: weights, gradients and state are those of
/// the range alone. `norm` is what `ops::global_norm` leaves;
/// `copy` is that of the weights in the type that matrix products read.
void write_optimizer(plan::PlanBuilder& builder, const GptParams& params, const TrainPlanOptions& options,
                     ArenaRange range, const plan::Tensor& weights, const plan::Tensor& grads,
                     const plan::Tensor& norm, const std::optional<plan::Tensor>& copy = {});

/// Positions of all micro-steps of a step, whether they count or not: the losses' gradients are divided by it
/// as they are made, and brought to the mean over those that counted in the update.
std::int64_t step_positions(const GptParams& params, const TrainPlanOptions& options);

/// Appends to the current segment: gradient norm and skip decision, optimizer, average, the copy of the
/// weights that matrix products read, the loss scale, and the results for the host.
void write_update(plan::PlanBuilder& builder, const GptParams& params, const TrainPlanOptions& options,
                  const UpdateTensors& tensors);

}  // namespace vkgpt::model
