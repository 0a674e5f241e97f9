#include "vkgpt/model/train_plan.hpp"

#include <algorithm>
#include <string>

#include "vkgpt/core/check.hpp"
#include "vkgpt/model/gpt_block.hpp"
#include "vkgpt/ops/attention.hpp"
#include "vkgpt/ops/cross_entropy.hpp"
#include "vkgpt/ops/embedding.hpp"
#include "vkgpt/ops/fill.hpp"
#include "vkgpt/ops/global_norm.hpp"
#include "vkgpt/ops/grad_stats.hpp"
#include "vkgpt/ops/matmul.hpp"
#include "vkgpt/ops/optimizer.hpp"

namespace vkgpt::model {
namespace {

using plan::PlanBuilder;
using plan::Role;
using plan::Tensor;

/// Bytes of logits that the classifier keeps at once.
constexpr std::int64_t kLogitsBytes = 64 << 20;

std::string block_scope(std::int64_t layer) {
  return "h" + std::to_string(layer);
}

/// Forward, loss and backward of a batch over one set of arenas.
class TrainPlanWriter {
 public:
  TrainPlanWriter(PlanBuilder& builder, const GptConfig& config, const TrainPlanOptions& options)
      : builder_(builder),
        config_(config),
        options_(options),
        params_(config),
        params_arena_(arena(tensor::kParams, Role::kParameters)),
        grads_arena_(arena(tensor::kGrads, Role::kGradients)),
        tokens_(builder.upload(tensor::kTokens, {options.batch_size, config.block_size}, DType::kI32)),
        targets_(builder.upload(tensor::kTargets, {options.batch_size, config.block_size}, DType::kI32)),
        loss_(ops::loss_accumulator(builder, "loss_accumulator")) {}

  void write() {
    builder_.begin_segment(segment::kZeroGrads);
    ops::zero(builder_, grads_arena_);
    ops::zero(builder_, loss_);

    builder_.begin_segment(segment::kMicroStep);
    write_micro_step();

    builder_.begin_segment(segment::kGradStats);
    write_grad_stats();

    builder_.begin_segment(segment::kUpdate);
    write_update();

    builder_.begin_segment(segment::kEvalBegin);
    ops::zero(builder_, loss_);

    builder_.begin_segment(segment::kEvalStep);
    write_losses(false);

    builder_.begin_segment(segment::kEvalEnd);
    ops::loss_mean(builder_, loss_, builder_.readback(tensor::kEvalResults, {8}));
  }

 private:
  struct Forward {
    Tensor x;  // (B, T, C), out of the embedding
    std::vector<BlockActivations> blocks;
    std::vector<Tensor> lse;  // (B, NH, T) a block
    NormActivations ln_f;
  };

  Tensor arena(const char* name, Role role) {
    return builder_.persistent(name, {params_.arena_elements()}, role);
  }
  Tensor param(const std::string& name) { return params_.view(builder_, params_arena_, name); }
  Tensor grad(const std::string& name) { return params_.view(builder_, grads_arena_, name); }
  float eps() const { return static_cast<float>(config_.layer_norm_eps); }
  const char* head_name() const { return config_.tie_weights ? "wte.weight" : "lm_head.weight"; }

  Forward write_forward() {
    Forward forward;
    forward.x = builder_.transient("embedding", {options_.batch_size, config_.block_size, config_.n_embd});
    ops::embedding_forward(
        builder_,
        {.tokens = tokens_, .wte = param("wte.weight"), .wpe = param("wpe.weight"), .x = forward.x});
    Stream stream{forward.x, {}};
    for (std::int64_t layer = 0; layer < config_.n_layer; ++layer) {
      const auto scope = builder_.scope(block_scope(layer));
      const BlockTensors params = block_tensors(builder_, params_, params_arena_, layer);
      const Tensor lse = builder_.transient("lse", {options_.batch_size, config_.n_head, config_.block_size});
      const Attend attend = [&](PlanBuilder& builder, const Tensor& qkv) {
        const Tensor out = builder.transient("out", forward.x.shape);
        ops::attention_forward(builder, {.qkv = qkv, .out = out, .lse = lse, .n_head = config_.n_head});
        return out;
      };
      forward.blocks.push_back(block_forward(builder_, params, stream, attend, eps()));
      forward.lse.push_back(lse);
      stream = forward.blocks.back().out;
    }
    const auto scope = builder_.scope("ln_f");
    forward.ln_f =
        stream_norm(builder_, norm_tensors(builder_, params_, params_arena_, "ln_f"), stream, eps());
    return forward;
  }

  /// The forward with its losses; with `backward` the logits also become dlogits, and the gradient of ln_f's
  /// output is left in `dy` and that of the head in its arena.
  Forward write_losses(bool backward) {
    const Forward forward = write_forward();
    const auto scope = builder_.scope("head");
    const std::int64_t rows = options_.batch_size * config_.block_size;
    const std::int64_t Vp = config_.padded_vocab_size();
    const Tensor& y = forward.ln_f.y;
    const Tensor losses = builder_.transient("losses", {rows});
    if (backward) dy_ = builder_.transient("dy", y.shape);
    const auto range = static_cast<std::int64_t>(builder_.caps().max_storage_buffer_range);
    const std::int64_t row_bytes = Vp * 4;
    // Chunks of whole multiples of 64 rows keep every bound offset aligned.
    const std::int64_t chunk =
        std::max<std::int64_t>(64, std::min(kLogitsBytes, range) / row_bytes / 64 * 64);
    for (std::int64_t first = 0; first < rows; first += chunk) {
      const std::int64_t count = std::min(chunk, rows - first);
      const Tensor y_rows = builder_.view(y, first * config_.n_embd, {count, config_.n_embd});
      const Tensor logits = builder_.transient("logits", {count, Vp});
      ops::linear_forward(builder_, {.x = y_rows, .weight = param(head_name()), .y = logits});
      const ops::CrossEntropy loss{.logits = logits,
                                   .targets = targets_,
                                   .losses = losses,
                                   .first_row = first,
                                   .V = config_.vocab_size};
      if (!backward) {
        ops::cross_entropy_forward(builder_, loss);
        continue;
      }
      ops::cross_entropy_fused(builder_, loss, 1.0f / static_cast<float>(rows * options_.grad_accum_steps));
      const Tensor dy_rows = builder_.view(dy_, first * config_.n_embd, {count, config_.n_embd});
      ops::linear_backward_input(builder_, {.dy = logits, .weight = param(head_name()), .dx = dy_rows});
      ops::linear_backward_weight(builder_, {.dy = logits, .x = y_rows, .dweight = grad(head_name())});
    }
    ops::loss_sum(builder_, losses, targets_, loss_);
    return forward;
  }

  void write_micro_step() {
    const Forward forward = write_losses(true);
    const Tensor dstream = builder_.transient("dstream", forward.x.shape);
    {
      const auto scope = builder_.scope("ln_f");
      stream_norm_backward(builder_, norm_tensors(builder_, params_, params_arena_, "ln_f"),
                           norm_tensors(builder_, params_, grads_arena_, "ln_f"), forward.ln_f, dy_, dstream,
                           false);
    }
    for (std::int64_t layer = config_.n_layer - 1; layer >= 0; --layer) {
      const auto scope = builder_.scope(block_scope(layer));
      const BlockActivations& saved = forward.blocks[static_cast<std::size_t>(layer)];
      const AttendBackward attend_backward = [&](PlanBuilder& builder, const Tensor& dattn) {
        const Tensor dqkv = builder.transient("dqkv", saved.qkv.shape);
        ops::attention_backward(builder, {.dout = dattn,
                                          .qkv = saved.qkv,
                                          .out = saved.attn,
                                          .lse = forward.lse[static_cast<std::size_t>(layer)],
                                          .dqkv = dqkv,
                                          .n_head = config_.n_head});
        return dqkv;
      };
      block_backward(builder_, block_tensors(builder_, params_, params_arena_, layer),
                     block_tensors(builder_, params_, grads_arena_, layer), saved, attend_backward, dstream);
    }
    ops::embedding_backward(
        builder_, {.dx = dstream, .tokens = tokens_, .dwte = grad("wte.weight"), .dwpe = grad("wpe.weight")});
  }

  void write_grad_stats() {
    std::vector<Tensor> gradients;
    for (const ParamSpec& spec : params_.specs()) gradients.push_back(grad(spec.name));
    const auto count = static_cast<std::int64_t>(gradients.size());
    ops::grad_stats(builder_, gradients, builder_.readback(tensor::kGradStats, {count, 4}));
  }

  void write_update() {
    std::vector<ops::Slice> decayed;
    for (const ParamSpec& spec : params_.specs()) {
      if (spec.decay) decayed.push_back({spec.offset, spec.shape.numel()});
    }
    const Tensor norm = ops::global_norm_state(builder_);
    ops::global_norm(builder_, grads_arena_, static_cast<float>(options_.grad_clip), norm, loss_);
    ops::optimizer_adamw(builder_,
                         {.weights = params_arena_,
                          .gradients = grads_arena_,
                          .m = arena(tensor::kAdamM, Role::kOptimizer),
                          .v = arena(tensor::kAdamV, Role::kOptimizer),
                          .decay = ops::decay_bits(builder_, params_.arena_elements(), decayed),
                          .norm = norm},
                         {.beta1 = options_.beta1,
                          .beta2 = options_.beta2,
                          .eps = options_.adam_eps,
                          .weight_decay = options_.weight_decay});
    ops::loss_mean(builder_, loss_, builder_.readback(tensor::kStepResults, {8}), norm);
  }

  PlanBuilder& builder_;
  const GptConfig& config_;
  const TrainPlanOptions& options_;
  GptParams params_;
  Tensor params_arena_;  // (arena)
  Tensor grads_arena_;   // (arena)
  Tensor tokens_;        // (B, T)
  Tensor targets_;       // (B, T)
  Tensor loss_;          // loss accumulator
  Tensor dy_;            // (B, T, C), gradient of ln_f's output
};

}  // namespace

plan::Plan build_train_plan(const GptConfig& config, const TrainPlanOptions& options,
                            const vk::DeviceCaps& caps) {
  PlanBuilder builder(caps);
  TrainPlanWriter(builder, config, options).write();
  return std::move(builder).finish();
}

std::vector<plan::Tap> activation_taps(const GptConfig& config) {
  std::vector<plan::Tap> taps;
  for (std::int64_t layer = 0; layer < config.n_layer; ++layer) {
    const std::string name = block_scope(layer) + "/mlp/residual";
    taps.push_back({segment::kMicroStep, name, [name](PlanBuilder& builder, const Tensor& t) {
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
  const auto N = static_cast<double>(params.parameter_count() - params.find("wpe.weight").numel());
  return 6 * N + 12.0 * static_cast<double>(config.n_layer * config.n_embd * config.block_size);
}

}  // namespace vkgpt::model
