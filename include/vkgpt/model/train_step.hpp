#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "vkgpt/core/dtype.hpp"
#include "vkgpt/model/gpt_config.hpp"
#include "vkgpt/vk/device_caps.hpp"

// The names and the options of a train step's plan, and what it leaves for the host.

namespace vkgpt::model {

/// Segments of the train plan, in the order in which a step runs them.
namespace segment {
inline constexpr const char* kPrepare = "prepare";  // where matrix products read another type than
                                                    // f32: once the host has written the parameters
// Forward and backward of one batch. The first of a step stores gradients and losses, the others, where a
// step has any, add to them.
inline constexpr const char* kFirstMicroStep = "first_micro_step";
inline constexpr const char* kMicroStep = "micro_step";
inline constexpr const char* kGradStats = "grad_stats";  // statistics of every gradient, in eager passes only
inline constexpr const char* kUpdate = "update";         // norm, clip, optimizer, results
inline constexpr const char* kEvalBegin = "eval_begin";  // loss accumulators to zero
inline constexpr const char* kEvalStep = "eval_step";    // forward of one batch
inline constexpr const char* kEvalEnd = "eval_end";      // results
// The same with the averaged weights, where the plan has them.
inline constexpr const char* kEmaEvalBegin = "ema_eval_begin";
inline constexpr const char* kEmaEvalStep = "ema_eval_step";
inline constexpr const char* kEmaEvalEnd = "ema_eval_end";

// Of a step that several ranks take together (see `write_exchange`); these replace kUpdate.
// The last micro-step, which may be the first, with each bucket packed as it is ready.
inline constexpr const char* kFirstMicroStepSend = "first_micro_step_send";
inline constexpr const char* kMicroStepSend = "micro_step_send";
inline constexpr const char* kPack = "exchange_pack";        // all buckets, after a micro-step
inline constexpr const char* kFold = "exchange_fold";        // contributions into the shard's sum
inline constexpr const char* kNorm = "exchange_norm";        // partial sums of the shard's norm
inline constexpr const char* kDecide = "exchange_decide";    // on rank 0: norm, clip scale, skip, results
inline constexpr const char* kShardUpdate = "shard_update";  // optimizer on the shard
inline constexpr const char* kSpread = "exchange_spread";    // the others' weights, average, copy in 16 bits
inline constexpr const char* kGradsOut = "exchange_grads_out";  // the shard's sum to the host
inline constexpr const char* kGradsIn = "exchange_grads_in";    // the sums of all shards, for statistics

constexpr const char* micro_step(bool is_first, bool sends = false) {
  if (sends) return is_first ? kFirstMicroStepSend : kMicroStepSend;
  return is_first ? kFirstMicroStep : kMicroStep;
}
}  // namespace segment

/// Tensors of the train plan that the host fills, reads or saves. An arena of parameters or gradients is laid
/// out by `GptParams`; all of Role::kOptimizer is what a resumed run needs besides the parameters.
namespace tensor {
inline constexpr const char* kParams = "params";        // (arena)
inline constexpr const char* kGrads = "grads";          // (trainable)
inline constexpr const char* kEma = "ema";              // (trainable), average of the weights
inline constexpr const char* kAdamM = "adam_m";         // (trainable)
inline constexpr const char* kAdamV = "adam_v";         // (trainable)
inline constexpr const char* kMomentum = "momentum";    // (trainable), of Lion and Muon
inline constexpr const char* kTokens = "tokens";        // (B * block_size) i32, upload: (B, T) at its front
inline constexpr const char* kTargets = "targets";      // (B * block_size) i32, upload, likewise
inline constexpr const char* kPositions = "positions";  // likewise, where documents share sequences:
inline constexpr const char* kDocumentEnds = "document_ends";  // see ops::Documents
inline constexpr const char* kTokenOrder =
    "token_order";  // (2 * B * block_size) u32, upload: see order_tokens
inline constexpr const char* kPositionOrder =
    "position_order";  // likewise, see order_positions; where learned positions restart
inline constexpr const char* kStepParams = "step_params";
inline constexpr const char* kStepResults = "step_results";  // (8): see StepResults
inline constexpr const char* kEvalResults = "eval_results";  // (8), likewise
inline constexpr const char* kRowLosses = "row_losses";      // (B T) of an evaluation, nats
inline constexpr const char* kGradStats = "grad_stats";      // (trainable tensors, 4): norm, max, NaNs, Infs

// What ranks exchange; words are u32. See `ExchangeLayout`.
inline constexpr const char* kWireOut = "wire_out";  // readback: packed gradients, then the shard's weights
inline constexpr const char* kWireIn = "wire_in";    // upload: contributions by piece, then all weights
inline constexpr const char* kFoldControl =
    "fold_control";                                  // upload (2): contributions, 1 to start from zero
inline constexpr const char* kLossOut = "loss_out";  // readback (2): the loss accumulator
inline constexpr const char* kLossIn = "loss_in";    // upload (2): that of all ranks
inline constexpr const char* kNormOut = "norm_out";  // readback (blocks of the shard, 2)
inline constexpr const char* kNormIn = "norm_in";    // upload (blocks of all shards, 2)
inline constexpr const char* kDecisionOut = "decision_out";  // readback (4): see global_norm_state
inline constexpr const char* kDecision = "decision";         // upload (4), the same on every rank
}  // namespace tensor

/// The results of a step that the host reads.
struct StepResults {
  float loss = 0;        // mean over the step's tokens, nats
  float grad_norm = 0;   // before clipping
  float clip_scale = 0;  // by which clipping multiplied the gradients
  bool skipped = false;  // a gradient was not finite and the weights stayed as they were
  float loss_scale = 1;  // with which the step was taken
  float counted = 0;     // tokens that the loss is the mean of
  float spread = 1;      // positions / counted, by which the update multiplied the gradients
};

/// The contents (8) of kStepResults or kEvalResults, as shaders/loss_mean.comp writes them. An evaluation has
/// a loss only.
StepResults step_results(std::span<const float> readback);

/// What a micro-step on `tokens` (B * T) finds at the front of kTokenOrder.
std::vector<std::uint32_t> order_tokens(const GptConfig& config, DType activation_dtype,
                                        const vk::DeviceCaps& caps, std::span<const std::int32_t> tokens);

/// What a micro-step on documents with `positions` (B * T) finds at the front of kPositionOrder.
std::vector<std::uint32_t> order_positions(const GptConfig& config, DType activation_dtype,
                                           const vk::DeviceCaps& caps,
                                           std::span<const std::int32_t> positions);

/// Whether a plan with `options.documents` has kPositionOrder.
bool orders_positions(const GptConfig& config);

enum class OptimizerKind { kAdamW, kAdamW8, kLion, kMuon };

/// Activations that the forward keeps for the backward; the rest is recomputed.
enum class GradCheckpoint {
  kNone,       // everything is kept
  kAttention,  // not what the attention branch computes
  kBlock,      // only the residual stream
};

/// Which part of a step that several ranks take together is this one's.
struct RankOptions {
  std::int64_t rank = 0;
  std::int64_t size = 0;                          // 0 = a step of one device, without any exchange
  bool bf16_wire = false;                         // gradients travel in 16 bits
  std::int64_t bucket_elements = (25 << 20) / 4;  // of gradients that are sent together, at most

  friend bool operator==(const RankOptions&, const RankOptions&) = default;
};

/// Everything besides the model that the recording of a train step depends on.
struct TrainPlanOptions {
  std::int64_t batch_size = 64;
  std::int64_t sequence_length = 0;  // T; 0 = block_size
  std::int64_t grad_accum_steps = 1;

  OptimizerKind optimizer = OptimizerKind::kAdamW;
  double beta1 = 0.9;
  double beta2 = 0.99;
  double adam_eps = 1e-8;
  double weight_decay = 0.1;
  double grad_clip = 1.0;  // 0 = none
  double muon_momentum = 0.95;
  std::int64_t muon_steps = 5;

  DType activation_dtype = DType::kF32;  // f16 comes with dynamic loss scaling
  GradCheckpoint grad_checkpoint = GradCheckpoint::kNone;
  bool offload = false;     // what GradCheckpoint::kBlock keeps lies in host memory
  bool documents = false;   // share sequences: attention stays inside each
  bool row_losses = false;  // evaluations leave them in kRowLosses
  double dropout = 0;
  double label_smoothing = 0;
  double z_loss = 0;
  double ema_decay = 0;  // 0 = no average

  RankOptions ranks = {};

  bool has_loss_scale() const { return activation_dtype == DType::kF16; }
  friend bool operator==(const TrainPlanOptions&, const TrainPlanOptions&) = default;
};

}  // namespace vkgpt::model
