#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "vkgpt/model/gpt_config.hpp"
#include "vkgpt/model/gpt_params.hpp"
#include "vkgpt/plan/plan.hpp"
#include "vkgpt/plan/taps.hpp"
#include "vkgpt/vk/device_caps.hpp"

namespace vkgpt::model {

/// Segments of the train plan, in the order in which a step runs them.
namespace segment {
inline constexpr const char* kZeroGrads = "zero_grads";  // gradients and loss accumulators to zero
inline constexpr const char* kMicroStep = "micro_step";  // forward and backward of one batch
inline constexpr const char* kGradStats = "grad_stats";  // statistics of every gradient, in eager passes only
inline constexpr const char* kUpdate = "update";         // norm, clip, AdamW, results
inline constexpr const char* kEvalBegin = "eval_begin";  // loss accumulators to zero
inline constexpr const char* kEvalStep = "eval_step";    // forward of one batch
inline constexpr const char* kEvalEnd = "eval_end";      // results
}  // namespace segment

/// Tensors of the train plan that the host fills, reads or saves.
namespace tensor {
inline constexpr const char* kParams = "params";    // (arena)
inline constexpr const char* kGrads = "grads";      // (arena)
inline constexpr const char* kAdamM = "adam_m";     // (arena)
inline constexpr const char* kAdamV = "adam_v";     // (arena)
inline constexpr const char* kTokens = "tokens";    // (B, T) i32, upload
inline constexpr const char* kTargets = "targets";  // (B, T) i32, upload
inline constexpr const char* kStepParams = "step_params";
inline constexpr const char* kStepResults = "step_results";  // (8): see ops::loss_mean
inline constexpr const char* kEvalResults = "eval_results";  // (8): mean loss first
inline constexpr const char* kGradStats = "grad_stats";      // (parameters, 4): norm, max, NaNs, Infs
}  // namespace tensor

/// What an update leaves for the host.
struct StepResults {
  float loss = 0;       // mean over the step's tokens, nats
  float grad_norm = 0;  // before clipping
  float clip_scale = 0;
  float skipped = 0;  // 1 when a gradient was not finite and the weights stayed as they were
};

/// What the recording of a train step depends on besides the architecture.
struct TrainPlanOptions {
  std::int64_t batch_size = 64;
  std::int64_t grad_accum_steps = 1;
  double beta1 = 0.9;
  double beta2 = 0.99;
  double adam_eps = 1e-8;
  double weight_decay = 0.1;
  double grad_clip = 1.0;  // 0 = none
};

/// The train step of a GPT-2 as data.
plan::Plan build_train_plan(const GptConfig& config, const TrainPlanOptions& options,
                            const vk::DeviceCaps& caps);

/// Taps of the eager pass: statistics of the residual stream inside every block, each in a readback tensor
/// (1, 4) named `tap_tensor(tap.tensor)`.
std::vector<plan::Tap> activation_taps(const GptConfig& config);
std::string tap_tensor(std::string_view name);

/// Floating-point operations that training spends on one token by the usual count, 6 N + 12 L C T, with N the
/// parameters without position embeddings (Chowdhery et al. 2022, appendix B).
double train_flops_per_token(const GptConfig& config);

}  // namespace vkgpt::model
