#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>

#include "vkgpt/plan/executor.hpp"
#include "vkgpt/train/progress.hpp"
#include "vkgpt/train/run_log.hpp"
#include "vkgpt/train/step_runner.hpp"

namespace vkgpt::train {

/// Mean losses of an evaluation, nats per token.
struct EvaluationLosses {
  double train = 0;
  std::optional<double> validation;
  std::optional<double> average;                            // validation, of the averaged weights
  std::optional<model::PreferenceResults> preference = {};  // of the held-out pairs, or else of trained ones
};

/// What an eager pass measured.
struct EagerPass {
  std::span<const TensorStats> gradients;
  std::span<const TensorStats> activations;
  std::span<const plan::DispatchTime> times;
  std::map<plan::Role, std::uint64_t> memory;  // bytes of the plan
};

/// Tells a person and the run's logs what a run does. A disk that fails is warned about once: training goes
/// on.
class RunReporter {
 public:
  /// Throws `IoError` where the logs cannot be opened.
  RunReporter(const TrainConfig& config, std::int64_t finished_steps);

  /// A finished step: a line and a record every `log_interval` steps, the live line in between.
  void step(const Progress& progress, const StepOutcome& outcome);
  /// An eager pass after `step` steps.
  void stats(std::uint64_t step, const EagerPass& pass);
  void evaluation(std::uint64_t step, const EvaluationLosses& losses, bool is_best, double seconds);
  /// A sample, also as `samples/step-N.txt`.
  void sample(std::uint64_t step, const std::string& text);
  /// Takes the live line away before something else is written.
  void clear() { progress_.clear(); }

 private:
  Path directory_;
  std::int64_t log_interval_;
  RunLog log_;
  ProgressLine progress_;
  bool warned_of_samples_ = false;
};

}  // namespace vkgpt::train
