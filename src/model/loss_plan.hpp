#pragma once

#include <optional>

#include "vkgpt/model/gpt_config.hpp"
#include "vkgpt/model/preference.hpp"
#include "vkgpt/model/train_step.hpp"
#include "vkgpt/plan/plan_builder.hpp"

#include "model/param_tensors.hpp"

namespace vkgpt::model {

/// What the losses of a plan are computed from and go to.
struct LossTensors {
  plan::Tensor targets;                    // (B, T)
  plan::Tensor accumulator;                // see ops::loss_accumulator
  std::optional<plan::Tensor> loss_scale;  // see ops::loss_scale_state
};

/// Appends the classifier and the objective. Logits are never held whole: rows go through in chunks.
class LossWriter {
 public:
  /// Everything outlives the writer.
  LossWriter(plan::PlanBuilder& builder, const GptConfig& config, const TrainPlanOptions& options,
             const Preference& preference, const LossTensors& tensors);

  /// Appends to a segment that begins a step, or an evaluation: sums to zero.
  void begin();
  /// The losses of ln_f's output y (B, T, C) are added up; its gradient is returned, and that of the head is
  /// added to `dhead`.
  plan::Tensor train(const ops::Weight& head, const std::optional<ops::Weight>& dhead, const plan::Tensor& y);
  void evaluate(const ops::Weight& head, const plan::Tensor& y);
  /// Appends the results of pairs, where the objective has any, for the host.
  void end(const char* results);

 private:
  /// Consecutive rows, and their logits.
  struct Chunk {
    std::int64_t first;
    plan::Tensor y;
    plan::Tensor logits;
  };

  template <typename Take>
  void for_chunks(const ops::Weight& head, const plan::Tensor& y, Take&& take);
  void classify(const ops::Weight& head, const plan::Tensor& y, const plan::Tensor& losses);
  /// The loss of pairs from those of rows; with `weights` what their gradients are multiplied by.
  void write_preference(const plan::Tensor& losses, const plan::Tensor& scores,
                        const std::optional<plan::Tensor>& weights);

  plan::PlanBuilder& builder_;
  const GptConfig& config_;
  const TrainPlanOptions& options_;
  const Preference& preference_;
  const LossTensors& tensors_;
  std::int64_t rows_;
  std::optional<plan::Tensor> pairs_, reference_, sums_;  // of pairs
};

}  // namespace vkgpt::model
