#pragma once

#include <cstdint>
#include <span>

#include "vkgpt/core/dtype.hpp"

// The names and the options of a train step's plan, and what it leaves for the host.

namespace vkgpt::model {

/// Segments of the train plan, in the order in which a step runs them.
namespace segment {
inline constexpr const char* kPrepare = "prepare";       // where matrix products read another type than
                                                         // f32: once the host has written the parameters
inline constexpr const char* kZeroGrads = "zero_grads";  // gradients and loss accumulators to zero
inline constexpr const char* kMicroStep = "micro_step";  // forward and backward of one batch
inline constexpr const char* kGradStats = "grad_stats";  // statistics of every gradient, in eager passes only
inline constexpr const char* kUpdate = "update";         // norm, clip, optimizer, results
inline constexpr const char* kEvalBegin = "eval_begin";  // loss accumulators to zero
inline constexpr const char* kEvalStep = "eval_step";    // forward of one batch
inline constexpr const char* kEvalEnd = "eval_end";      // results
// The same with the averaged weights, where the plan has them.
inline constexpr const char* kEmaEvalBegin = "ema_eval_begin";
inline constexpr const char* kEmaEvalStep = "ema_eval_step";
inline constexpr const char* kEmaEvalEnd = "ema_eval_end";
}  // namespace segment

/// Tensors of the train plan that the host fills, reads or saves. An arena of parameters or gradients is laid
/// out by `GptParams`; all of Role::kOptimizer is what a resumed run needs besides the parameters.
namespace tensor {
inline constexpr const char* kParams = "params";      // (arena)
inline constexpr const char* kGrads = "grads";        // (trainable)
inline constexpr const char* kEma = "ema";            // (trainable), average of the weights
inline constexpr const char* kAdamM = "adam_m";       // (trainable)
inline constexpr const char* kAdamV = "adam_v";       // (trainable)
inline constexpr const char* kMomentum = "momentum";  // (trainable), of Lion and Muon
inline constexpr const char* kTokens = "tokens";      // (B * block_size) i32, upload: (B, T) at its front
inline constexpr const char* kTargets = "targets";    // (B * block_size) i32, upload, likewise
inline constexpr const char* kStepParams = "step_params";
inline constexpr const char* kStepResults = "step_results";  // (8): see StepResults
inline constexpr const char* kEvalResults = "eval_results";  // (8), likewise
inline constexpr const char* kGradStats = "grad_stats";      // (trainable tensors, 4): norm, max, NaNs, Infs
}  // namespace tensor

/// The results of a step that the host reads.
struct StepResults {
  float loss = 0;        // mean over the step's tokens, nats
  float grad_norm = 0;   // before clipping
  float clip_scale = 0;  // by which clipping multiplied the gradients
  bool skipped = false;  // a gradient was not finite and the weights stayed as they were
  float loss_scale = 1;  // with which the step was taken
};

/// The contents (8) of kStepResults or kEvalResults, as shaders/loss_mean.comp writes them. An evaluation has
/// a loss only.
StepResults step_results(std::span<const float> readback);

enum class OptimizerKind { kAdamW, kAdamW8, kLion, kMuon };

/// Activations that the forward keeps for the backward; the rest is recomputed.
enum class GradCheckpoint {
  kNone,       // everything is kept
  kAttention,  // not what the attention branch computes
  kBlock,      // only the residual stream
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
  double dropout = 0;
  double label_smoothing = 0;
  double z_loss = 0;
  double ema_decay = 0;  // 0 = no average

  bool has_loss_scale() const { return activation_dtype == DType::kF16; }
  friend bool operator==(const TrainPlanOptions&, const TrainPlanOptions&) = default;
};

}  // namespace vkgpt::model
