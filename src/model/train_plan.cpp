#include "vkgpt/model/train_plan.hpp"

#include <algorithm>
#include <iterator>
#include <string>

#include "vkgpt/core/check.hpp"
#include "vkgpt/model/held_weights.hpp"
#include "vkgpt/ops/cast.hpp"
#include "vkgpt/ops/copy.hpp"
#include "vkgpt/ops/cross_entropy.hpp"
#include "vkgpt/ops/dropout.hpp"
#include "vkgpt/ops/embedding.hpp"
#include "vkgpt/ops/fill.hpp"
#include "vkgpt/ops/launch.hpp"
#include "vkgpt/ops/optimizer/grad_stats.hpp"
#include "vkgpt/ops/optimizer/loss_scale.hpp"
#include "vkgpt/plan/dead_dispatches.hpp"

#include "model/arena.hpp"
#include "model/batch_attention.hpp"
#include "model/exchange_plan.hpp"
#include "model/gpt_block.hpp"
#include "model/loss_plan.hpp"
#include "model/train_limits.hpp"
#include "model/update_plan.hpp"

namespace vkgpt::model {
namespace {

using plan::PlanBuilder;
using plan::Role;
using plan::Tensor;

constexpr std::uint32_t kEmbeddingSite = 0;
constexpr std::uint32_t kLoraSite = 1U << 20U;  // beyond those of any model's blocks

std::string block_scope(std::int64_t layer) {
  return "h" + std::to_string(layer);
}

enum class Pass { kTrain, kEvaluate };

/// Forward, loss and backward of a batch over one set of arenas.
class TrainPlanWriter {
 public:
  TrainPlanWriter(PlanBuilder& builder, const GptParams& params, const TrainPlanOptions& options,
                  const FrozenBase& base, const Preference& preference)
      : builder_(builder),
        params_(params),
        config_(params.config()),
        options_(options),
        base_(base),
        B_(options.batch_size),
        T_(options.sequence_length == 0 ? config_.block_size : options.sequence_length),
        tokens_(batch(tensor::kTokens)),
        targets_(batch(tensor::kTargets)),
        order_(order(tensor::kTokenOrder)),
        loss_tensors_{.targets = targets_,
                      .accumulator = ops::loss_accumulator(builder, "loss_accumulator"),
                      .loss_scale = {}},
        losses_(builder, config_, options, preference, loss_tensors_),
        batch_{.config = config_, .B = B_, .T = T_} {
    VKGPT_CHECK(T_ <= config_.block_size, "{} tokens in a context of {}", T_, config_.block_size);
    VKGPT_CHECK(!options.offload || options.grad_checkpoint == GradCheckpoint::kBlock);
    const std::int64_t trained = params.trainable_elements();
    const std::int64_t all = base.blocks ? trained : params.arena_elements();
    update_.params = arena(builder, params, tensor::kParams, all, Role::kParameters);
    update_.grads = arena(builder, params, tensor::kGrads, trained, Role::kGradients);
    update_.loss = loss_tensors_.accumulator;
    if (options.activation_dtype != DType::kF32) {
      update_.matrices = arena(builder, params, "matrices", all, Role::kParameters, options.activation_dtype);
    }
    if (options.ema_decay > 0) update_.ema = arena(builder, params, tensor::kEma, trained, Role::kOptimizer);
    if (options.documents) batch_.documents = {batch(tensor::kPositions), batch(tensor::kDocumentEnds)};
    if (options.documents && orders_positions(config_)) position_order_ = order(tensor::kPositionOrder);
    if (options.has_loss_scale()) update_.loss_scale = ops::loss_scale_state(builder);
    loss_tensors_.loss_scale = update_.loss_scale;
  }

  void write() {
    if (update_.matrices) {
      builder_.begin_segment(segment::kPrepare);
      ops::cast(builder_, update_.params, *update_.matrices);
    }

    builder_.begin_segment(segment::kFirstMicroStep);
    discard_gradients();
    losses_.begin();
    write_micro_step();
    ops::zero_discarded(builder_, update_.grads);  // what the batch does not reach
    if (options_.grad_accum_steps > 1) {
      builder_.begin_segment(segment::kMicroStep);
      write_micro_step();
    }

    builder_.begin_segment(segment::kGradStats);
    write_grad_stats();

    if (options_.ranks.size > 0) {
      write_exchange(builder_, params_, options_, update_);
    } else {
      builder_.begin_segment(segment::kUpdate);
      write_update(builder_, params_, options_, update_);
      losses_.end(tensor::kPreferenceResults);
    }

    write_evaluation(weights(), segment::kEvalBegin, segment::kEvalStep, segment::kEvalEnd);
    if (update_.ema) {
      write_evaluation(averages(), segment::kEmaEvalBegin, segment::kEmaEvalStep, segment::kEmaEvalEnd);
    }
  }

 private:
  struct Forward {
    Tensor x;  // (B, T, C), the embedding
    std::vector<BlockActivations> blocks;
    NormActivations ln_f;
  };

  Tensor batch(const char* name) {
    const Tensor whole = builder_.upload(name, {B_ * config_.block_size}, DType::kI32);
    return builder_.view(whole, 0, {B_, T_});
  }

  ParamTensors weights() {
    return {
        builder_, params_, {.values = update_.params, .matrices = update_.matrices, .blocks = base_.blocks}};
  }
  ParamTensors gradients() { return {builder_, params_, {update_.grads}}; }
  ParamTensors averages() { return {builder_, params_, {update_.params, update_.matrices, update_.ema}}; }

  BlockOptions block_options(std::int64_t layer, Pass pass) const {
    return {.config = config_,
            .layer = layer,
            .dtype = options_.activation_dtype,
            .dropout = pass == Pass::kTrain ? options_.dropout : 0,
            .dropout_site = kEmbeddingSite + 1 + kBlockDropoutSites * static_cast<std::uint32_t>(layer),
            .lora = {.scale = params_.adaptation().lora_rank > 0 ? params_.adaptation().lora_scale() : 0,
                     .dropout = pass == Pass::kTrain ? base_.lora_dropout : 0,
                     .site = kLoraSite + kLoraSites * static_cast<std::uint32_t>(layer)}};
  }

  Tensor order(const char* name) {
    return builder_.view(builder_.upload(name, {2 * B_ * config_.block_size}, DType::kU32), 0, {2 * B_ * T_});
  }

  /// Where what a block reads waits for its backward, in host memory. The last block's comes at once.
  std::optional<Tensor> put_aside(std::int64_t layer) {
    if (!options_.offload || layer + 1 == config_.n_layer) return {};
    const Tensor whole = builder_.host(block_scope(layer) + "/input",
                                       {B_ * config_.block_size, config_.n_embd}, options_.activation_dtype);
    return builder_.view(whole, 0, {B_, T_, config_.n_embd});
  }

  Forward write_forward(const ParamTensors& params, Pass pass) {
    Forward forward;
    forward.x = builder_.transient("embedding", {B_, T_, config_.n_embd}, options_.activation_dtype);
    ops::embedding_forward(builder_, {.tokens = tokens_,
                                      .wte = *params.table(),
                                      .wpe = params.find("wpe.weight"),
                                      .x = forward.x,
                                      .positions = batch_.positions(),
                                      .scale = static_cast<float>(config_.embedding_scale)});
    if (pass == Pass::kTrain && options_.dropout > 0) {
      const Tensor dropped = builder_.transient("embedding_dropped", forward.x.shape, forward.x.dtype);
      ops::dropout(builder_, forward.x, dropped, {.p = options_.dropout, .site = kEmbeddingSite});
      forward.x = dropped;
    }
    Stream stream{forward.x, {}};
    for (std::int64_t layer = 0; layer < config_.n_layer; ++layer) {
      const auto scope = builder_.scope(block_scope(layer));
      BlockOptions options = block_options(layer, pass);
      if (pass == Pass::kTrain) options.put_aside = put_aside(layer);
      forward.blocks.push_back(
          block_forward(builder_, params.block(layer), stream, attend(batch_, options), options));
      stream = forward.blocks.back().out;
    }
    const auto scope = builder_.scope("ln_f");
    forward.ln_f = stream_norm(builder_, params.norm("ln_f"), stream, block_options(0, pass));
    return forward;
  }

  /// Of each tensor alone: between them the arena holds zeros, which stay.
  void discard_gradients() {
    for (const ParamSpec& spec : params_.specs()) {
      if (spec.trainable) builder_.discard(*gradients().find(spec.name));
    }
  }

  void write_micro_step() {
    const ParamTensors params = weights();
    const ParamTensors grads = gradients();
    const Forward forward = write_forward(params, Pass::kTrain);
    const Tensor dy = losses_.train(*params.head(), grads.head(), forward.ln_f.y);
    const Tensor dstream = builder_.transient("dstream", forward.x.shape, forward.x.dtype);
    {
      const auto scope = builder_.scope("ln_f");
      stream_norm_backward(builder_, params.norm("ln_f"), grads.norm("ln_f"), forward.ln_f, dy, dstream,
                           false, block_options(0, Pass::kTrain));
    }
    for (std::int64_t layer = config_.n_layer - 1; layer >= 0; --layer) {
      write_block_backward(params, grads, forward.blocks[layer], layer, dstream);
    }
    write_embedding_backward(grads, dstream);
  }

  void write_block_backward(const ParamTensors& params, const ParamTensors& grads,
                            const BlockActivations& forward, std::int64_t layer, const Tensor& dstream) {
    const auto scope = builder_.scope(block_scope(layer));
    const BlockOptions options = block_options(layer, Pass::kTrain);
    const BlockTensors block = params.block(layer);
    const Attend again = attend(batch_, options);
    BlockActivations saved = forward;
    if (options_.grad_checkpoint == GradCheckpoint::kBlock) {
      const auto recompute = builder_.scope("recompute");
      Tensor x = forward.attention.norm.x;
      if (const std::optional<Tensor> aside = put_aside(layer)) {
        x = builder_.transient("input", x.shape, x.dtype);
        ops::copy(builder_, *aside, x);
      }
      saved = block_forward(builder_, block, {x, {}}, again, options);
    }
    const bool recompute_attention = options_.grad_checkpoint == GradCheckpoint::kAttention;
    block_backward(builder_, block, grads.block(layer), saved, attend_backward(batch_, options), dstream,
                   options, recompute_attention ? &again : nullptr);
  }

  void write_embedding_backward(const ParamTensors& grads, const Tensor& dstream) {
    const std::optional<Tensor> dwte = grads.find("wte.weight");
    const std::optional<Tensor> dwpe = grads.find("wpe.weight");
    if (!dwte && !dwpe) return;
    Tensor dx = dstream;
    if (options_.dropout > 0) {
      dx = builder_.transient("dembedding", dstream.shape, dstream.dtype);
      ops::dropout(builder_, dstream, dx, {.p = options_.dropout, .site = kEmbeddingSite});
    }
    ops::embedding_backward(builder_, {.dx = dx,
                                       .order = order_,
                                       .dwte = dwte,
                                       .dwpe = dwpe,
                                       .position_order = position_order_,
                                       .scale = static_cast<float>(config_.embedding_scale)});
  }

  void write_grad_stats() {
    std::vector<Tensor> tensors;
    for (const ParamSpec& spec : params_.specs()) {
      if (spec.trainable) tensors.push_back(*gradients().find(spec.name));
    }
    ops::grad_stats(builder_, tensors, builder_.readback(tensor::kGradStats, {std::ssize(tensors), 4}));
  }

  void write_evaluation(const ParamTensors& params, const char* begin, const char* step, const char* end) {
    const bool average = std::string_view(begin) == segment::kEmaEvalBegin;
    const std::int64_t n = params_.trainable_elements();
    builder_.begin_segment(begin);
    losses_.begin();
    // The copy that matrix products read changes places with the average's for as long as this lasts.
    if (average && update_.matrices) {
      ops::cast(builder_, *update_.ema, builder_.view(*update_.matrices, 0, {n}));
    }
    builder_.begin_segment(step);
    losses_.evaluate(*params.head(), write_forward(params, Pass::kEvaluate).ln_f.y);
    builder_.begin_segment(end);
    ops::loss_mean(builder_, update_.loss, builder_.readback(tensor::kEvalResults, {8}));
    losses_.end(tensor::kEvalPreferenceResults);
    if (average && update_.matrices) {
      ops::cast(builder_, builder_.view(update_.params, 0, {n}), builder_.view(*update_.matrices, 0, {n}));
    }
  }

  PlanBuilder& builder_;
  const GptParams& params_;
  const GptConfig& config_;
  const TrainPlanOptions& options_;
  const FrozenBase& base_;
  std::int64_t B_;
  std::int64_t T_;
  Tensor tokens_;   // (B, T)
  Tensor targets_;  // (B, T)
  Tensor order_;    // (2 * B * T)
  LossTensors loss_tensors_;
  LossWriter losses_;
  BatchAttention batch_;
  std::optional<Tensor> position_order_;  // (2 * B * T)
  UpdateTensors update_;                  // the arenas
};

}  // namespace

plan::Plan build_train_plan(const GptParams& params, const TrainPlanOptions& options,
                            const vk::Target& target, const FrozenBase& base, const Preference& preference) {
  check_train_size(params, options, target.caps, base.blocks.has_value());
  if (base.blocks) check_blocks(params, *base.blocks);
  PlanBuilder builder(target);
  TrainPlanWriter(builder, params, options, base, preference).write();
  plan::Plan plan = std::move(builder).finish();
  if (options.grad_checkpoint != GradCheckpoint::kNone) plan::drop_dead_dispatches(plan);
  return plan;
}

std::vector<plan::Tap> activation_taps(const GptConfig& config, const char* micro_step) {
  std::vector<plan::Tap> taps;
  for (std::int64_t layer = 0; layer < config.n_layer; ++layer) {
    const std::string next = layer + 1 < config.n_layer ? block_scope(layer + 1) + "/attn" : "ln_f";
    const std::string name = (config.parallel_blocks ? next : block_scope(layer) + "/mlp") + "/residual";
    taps.push_back({micro_step, name, [name](PlanBuilder& builder, const Tensor& t) {
                      ops::grad_stats(builder, std::span(&t, 1), builder.readback(tap_tensor(name), {1, 4}));
                    }});
  }
  return taps;
}

std::string tap_tensor(std::string_view name) {
  return "tap:" + std::string(name);
}

double train_flops_per_token(const GptConfig& config) {
  const GptParams params(config);
  auto N = static_cast<double>(params.parameter_count());
  if (const ParamSpec* wpe = params.find_if_present("wpe.weight")) N -= static_cast<double>(wpe->numel());
  return 6 * N + 12.0 * static_cast<double>(config.n_layer * config.attention_width() * config.block_size);
}

}  // namespace vkgpt::model
