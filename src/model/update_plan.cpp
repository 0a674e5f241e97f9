#include "model/update_plan.hpp"

#include <string>
#include <vector>

#include "vkgpt/ops/cast.hpp"
#include "vkgpt/ops/cross_entropy.hpp"
#include "vkgpt/ops/optimizer/ema.hpp"
#include "vkgpt/ops/optimizer/global_norm.hpp"
#include "vkgpt/ops/optimizer/loss_scale.hpp"
#include "vkgpt/ops/optimizer/optimizer.hpp"
#include "vkgpt/ops/optimizer/optimizer_adamw8.hpp"
#include "vkgpt/ops/optimizer/optimizer_lion.hpp"
#include "vkgpt/ops/optimizer/optimizer_muon.hpp"

namespace vkgpt::model {
namespace {

using plan::PlanBuilder;
using plan::Role;
using plan::Tensor;

/// Whether Muon takes the parameter: the matrices inside the blocks.
bool is_hidden_matrix(const ParamSpec& spec) {
  return spec.trainable && spec.shape.rank() == 2 && spec.name.starts_with("h.");
}

/// The matrices that Muon orthogonalizes, each by itself: q, k and v are separate maps though they lie in one
/// tensor, and so are SwiGLU's gate and what it gates.
std::vector<ops::MuonMatrix> muon_matrices(const GptParams& params) {
  const GptConfig& config = params.config();
  const std::int64_t kv_rows = config.kv_heads() * config.head_size();
  std::vector<ops::MuonMatrix> matrices;
  for (const ParamSpec& spec : params.specs()) {
    if (!is_hidden_matrix(spec)) continue;
    std::vector<std::int64_t> parts = {spec.shape[0]};
    if (spec.name.ends_with("attn.c_attn.weight")) parts = {config.attention_width(), kv_rows, kv_rows};
    if (spec.name.ends_with("mlp.c_fc.weight") && config.has_swiglu()) {
      parts = {config.inner_width(), config.inner_width()};
    }
    std::int64_t offset = spec.offset;
    for (const std::int64_t rows : parts) {
      matrices.push_back({.offset = offset, .rows = rows, .cols = spec.shape[1]});
      offset += rows * spec.shape[1];
    }
  }
  return matrices;
}

template <typename Predicate>
std::vector<ops::Slice> slices_of(const GptParams& params, Predicate&& wanted) {
  std::vector<ops::Slice> slices;
  for (const ParamSpec& spec : params.specs()) {
    if (spec.trainable && wanted(spec)) slices.push_back({spec.offset, spec.numel()});
  }
  return slices;
}

void write_optimizer(PlanBuilder& builder, const GptParams& params, const TrainPlanOptions& options,
                     const Tensor& weights, const Tensor& grads, const Tensor& norm) {
  const std::int64_t n = params.trainable_elements();
  const auto arena = [&](const char* name) { return builder.persistent(name, {n}, Role::kOptimizer); };
  const Tensor decay =
      ops::decay_bits(builder, n, slices_of(params, [](const ParamSpec& spec) { return spec.decay; }));
  const ops::AdamW adamw{.beta1 = options.beta1,
                         .beta2 = options.beta2,
                         .eps = options.adam_eps,
                         .weight_decay = options.weight_decay};
  switch (options.optimizer) {
    case OptimizerKind::kAdamW:
      ops::optimizer_adamw(builder,
                           {.weights = weights,
                            .gradients = grads,
                            .m = arena(tensor::kAdamM),
                            .v = arena(tensor::kAdamV),
                            .decay = decay,
                            .norm = norm},
                           adamw);
      return;
    case OptimizerKind::kAdamW8:
      ops::optimizer_adamw8(builder,
                            {.weights = weights,
                             .gradients = grads,
                             .decay = decay,
                             .norm = norm,
                             .tensors = slices_of(params, [](const ParamSpec&) { return true; })},
                            adamw);
      return;
    case OptimizerKind::kLion:
      ops::optimizer_lion(
          builder,
          {.weights = weights,
           .gradients = grads,
           .m = arena(tensor::kMomentum),
           .decay = decay,
           .norm = norm},
          {.beta1 = options.beta1, .beta2 = options.beta2, .weight_decay = options.weight_decay});
      return;
    case OptimizerKind::kMuon:
      ops::optimizer_muon(builder,
                          {.weights = weights,
                           .gradients = grads,
                           .momentum = arena(tensor::kMomentum),
                           .norm = norm,
                           .matrices = muon_matrices(params)},
                          {.momentum = options.muon_momentum, .weight_decay = options.weight_decay});
      ops::optimizer_adamw(
          builder,
          {.weights = weights,
           .gradients = grads,
           .m = arena(tensor::kAdamM),
           .v = arena(tensor::kAdamV),
           .decay = decay,
           .norm = norm,
           .active = ops::active_bits(
               builder, n, slices_of(params, [](const ParamSpec& spec) { return !is_hidden_matrix(spec); }))},
          adamw);
      return;
  }
}

}  // namespace

void write_update(PlanBuilder& builder, const GptParams& params, const TrainPlanOptions& options,
                  const UpdateTensors& tensors) {
  const std::int64_t n = params.trainable_elements();
  const Tensor norm = ops::global_norm_state(builder);
  ops::global_norm(builder, tensors.grads, static_cast<float>(options.grad_clip), norm, tensors.loss,
                   tensors.loss_scale);
  const Tensor weights = builder.view(tensors.params, 0, {n});
  write_optimizer(builder, params, options, weights, tensors.grads, norm);
  if (tensors.ema) {
    ops::ema_update(builder,
                    {.ema = *tensors.ema, .weights = weights, .norm = norm, .decay = options.ema_decay});
  }
  if (tensors.matrices) ops::cast(builder, weights, builder.view(*tensors.matrices, 0, {n}));
  ops::loss_mean(builder, tensors.loss, builder.readback(tensor::kStepResults, {8}), norm,
                 tensors.loss_scale);
  if (tensors.loss_scale) ops::loss_scale_update(builder, *tensors.loss_scale, norm);
}

}  // namespace vkgpt::model
