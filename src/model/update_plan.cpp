#include "model/update_plan.hpp"

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

#include "model/arena.hpp"

namespace vkgpt::model {
namespace {

using plan::PlanBuilder;
using plan::Role;
using plan::Tensor;

/// The matrices that Muon orthogonalizes, each by itself: q, k and v are separate maps though they lie in one
/// tensor, and so are SwiGLU's gate and what it gates.
std::vector<ops::MuonMatrix> muon_matrices(const GptParams& params, ArenaRange range) {
  const GptConfig& config = params.config();
  const std::int64_t kv_rows = config.kv_heads() * config.head_size();
  std::vector<ops::MuonMatrix> matrices;
  for (const ParamSpec& spec : params.specs()) {
    if (!is_hidden_matrix(spec) || !range.contains(spec.offset)) continue;
    std::vector<std::int64_t> parts = {spec.shape[0]};
    if (spec.name.ends_with("attn.c_attn.weight")) parts = {config.attention_width(), kv_rows, kv_rows};
    if (spec.name.ends_with("mlp.c_fc.weight") && config.has_gate()) {
      parts = {config.inner_width(), config.inner_width()};
    }
    std::int64_t offset = spec.offset - range.first;
    for (const std::int64_t rows : parts) {
      matrices.push_back({.offset = offset, .rows = rows, .cols = spec.shape[1]});
      offset += rows * spec.shape[1];
    }
  }
  return matrices;
}

/// The parts of the wanted parameters that lie in `range`, from its beginning.
template <typename Predicate>
std::vector<ops::Slice> slices_of(const GptParams& params, ArenaRange range, Predicate&& wanted) {
  std::vector<ops::Slice> slices;
  for (const ParamSpec& spec : params.specs()) {
    if (!spec.trainable || !wanted(spec)) continue;
    const ArenaRange part = range.common({spec.offset, spec.numel()});
    if (part.count > 0) slices.push_back({part.first - range.first, part.count});
  }
  return slices;
}

/// Appends the optimizer's step over the trained part of the arenas.
class OptimizerWriter {
 public:
  OptimizerWriter(PlanBuilder& builder, const GptParams& params, const TrainPlanOptions& options,
                  ArenaRange range, const Tensor& weights, const Tensor& grads, const Tensor& norm,
                  const std::optional<Tensor>& copy)
      : builder_(builder),
        params_(params),
        options_(options),
        range_(range),
        weights_(weights),
        grads_(grads),
        norm_(norm),
        copy_(copy),
        decay_(ops::decay_bits(builder, range.count,
                               slices_of(params, range, [](const ParamSpec& spec) { return spec.decay; }))) {}

  void write() {
    switch (options_.optimizer) {
      case OptimizerKind::kAdamW:
        return write_adamw({});
      case OptimizerKind::kAdamW8:
        return write_adamw8();
      case OptimizerKind::kLion:
        return write_lion();
      case OptimizerKind::kMuon:
        write_muon();
        return write_adamw(ops::active_bits(
            builder_, range_.count,
            slices_of(params_, range_, [](const ParamSpec& spec) { return !is_hidden_matrix(spec); })));
    }
  }

 private:
  /// Of a rank: for its shard alone.
  Tensor state(const char* name) {
    if (range_.count == params_.trainable_elements())
      return arena(builder_, params_, name, range_.count, Role::kOptimizer);
    return builder_.persistent(name, {range_.count}, Role::kOptimizer);
  }

  ops::AdamW adamw() const {
    return {.beta1 = options_.beta1,
            .beta2 = options_.beta2,
            .eps = options_.adam_eps,
            .weight_decay = options_.weight_decay};
  }

  void write_adamw(const std::optional<Tensor>& active) {
    ops::optimizer_adamw(builder_,
                         {.weights = weights_,
                          .gradients = grads_,
                          .m = state(tensor::kAdamM),
                          .v = state(tensor::kAdamV),
                          .decay = decay_,
                          .norm = norm_,
                          .active = active,
                          .copy = active ? std::nullopt : copy_},
                         adamw());
  }

  void write_adamw8() {
    ops::optimizer_adamw8(builder_,
                          {.weights = weights_,
                           .gradients = grads_,
                           .decay = decay_,
                           .norm = norm_,
                           .tensors = slices_of(params_, range_, [](const ParamSpec&) { return true; })},
                          adamw());
  }

  void write_lion() {
    ops::optimizer_lion(
        builder_,
        {.weights = weights_,
         .gradients = grads_,
         .m = state(tensor::kMomentum),
         .decay = decay_,
         .norm = norm_},
        {.beta1 = options_.beta1, .beta2 = options_.beta2, .weight_decay = options_.weight_decay});
  }

  void write_muon() {
    const std::vector<ops::MuonMatrix> matrices = muon_matrices(params_, range_);
    const Tensor momentum = state(tensor::kMomentum);
    if (matrices.empty()) return;
    ops::optimizer_muon(
        builder_,
        {.weights = weights_, .gradients = grads_, .momentum = momentum, .norm = norm_, .matrices = matrices},
        {.momentum = options_.muon_momentum,
         .weight_decay = options_.weight_decay,
         .steps = options_.muon_steps});
  }

  PlanBuilder& builder_;
  const GptParams& params_;
  const TrainPlanOptions& options_;
  ArenaRange range_;
  const Tensor& weights_;
  const Tensor& grads_;
  const Tensor& norm_;
  std::optional<Tensor> copy_;  // of the weights, in the type of matrix products
  Tensor decay_;
};

}  // namespace

void write_optimizer(PlanBuilder& builder, const GptParams& params, const TrainPlanOptions& options,
                     ArenaRange range, const Tensor& weights, const Tensor& grads, const Tensor& norm,
                     const std::optional<Tensor>& copy) {
  OptimizerWriter(builder, params, options, range, weights, grads, norm, copy).write();
}

std::int64_t step_positions(const GptParams& params, const TrainPlanOptions& options) {
  const std::int64_t T = options.sequence_length == 0 ? params.config().block_size : options.sequence_length;
  return options.batch_size * T * options.grad_accum_steps;
}

void write_update(PlanBuilder& builder, const GptParams& params, const TrainPlanOptions& options,
                  const UpdateTensors& tensors) {
  const std::int64_t n = params.trainable_elements();
  const Tensor norm = ops::global_norm_state(builder);
  ops::global_norm(builder, tensors.grads, static_cast<float>(options.grad_clip), norm, tensors.loss,
                   tensors.loss_scale, step_positions(params, options));
  const Tensor weights = builder.view(tensors.params, 0, {n});
  std::optional<Tensor> copy;
  if (tensors.matrices) copy = builder.view(*tensors.matrices, 0, {n});
  write_optimizer(builder, params, options, {0, n}, weights, tensors.grads, norm, copy);
  if (tensors.ema) {
    ops::ema_update(builder,
                    {.ema = *tensors.ema, .weights = weights, .norm = norm, .decay = options.ema_decay});
  }
  if (copy && options.optimizer != OptimizerKind::kAdamW) ops::cast(builder, weights, *copy);
  ops::loss_mean(builder, tensors.loss, builder.readback(tensor::kStepResults, {8}), norm, tensors.loss_scale,
                 step_positions(params, options));
  if (tensors.loss_scale) ops::loss_scale_update(builder, *tensors.loss_scale, norm);
}

}  // namespace vkgpt::model
