#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "vkgpt/core/file.hpp"
#include "vkgpt/model/gpt_config.hpp"
#include "vkgpt/text/corpus/corpus.hpp"
#include "vkgpt/text/generate/generator.hpp"
#include "vkgpt/text/tokenizer/tokenizer.hpp"
#include "vkgpt/train/checkpoint.hpp"
#include "vkgpt/train/data_loader.hpp"
#include "vkgpt/train/lr_schedule.hpp"
#include "vkgpt/train/progress.hpp"
#include "vkgpt/train/run_log.hpp"
#include "vkgpt/train/step_runner.hpp"
#include "vkgpt/train/train_config.hpp"
#include "vkgpt/train/trainer_state.hpp"
#include "vkgpt/vk/context.hpp"

namespace vkgpt::train {

struct TrainSummary {
  std::int64_t steps = 0;  // completed in the whole run
  double train_loss = 0;   // of the last step, nats per token
  std::optional<double> val_loss;
  std::optional<double> best_val_loss;
  double seconds = 0;             // of training, evaluations and samples included
  double tokens_per_second = 0;   // of replayed steps
  double first_step_seconds = 0;  // from the trainer's construction to the end of its first step
  std::uint64_t device_bytes = 0;
  bool interrupted = false;
};

/// The training loop: steps, evaluations, samples, statistics, checkpoints.
class Trainer {
 public:
  /// Allocates everything and loads the newest checkpoint when `config.resume`; the arguments outlive it.
  Trainer(vk::Context& context, const model::GptConfig& model_config, const TrainConfig& config,
          const text::Tokenizer& tokenizer, const text::Corpus& corpus, CheckpointStore& checkpoints,
          double submit_budget_ns);

  /// Trains to `max_steps`, or until a signal arrives: then a checkpoint is written too.
  TrainSummary run();

 private:
  using Clock = std::chrono::steady_clock;

  void start_fresh();
  void restore(const Checkpoint& checkpoint);
  void save();
  /// False when a signal arrived instead.
  bool train_step();
  bool evaluate();
  void sample();
  void report_steps();
  void report_step(const StepOutcome& outcome);
  void report_stats();
  bool due(std::int64_t interval) const;
  std::int64_t finished() const { return static_cast<std::int64_t>(state_.step); }

  vk::Context& context_;
  model::GptConfig model_config_;
  std::optional<Checkpoint> checkpoint_;  // to be continued
  TrainConfig config_;
  const text::Tokenizer& tokenizer_;
  CheckpointStore& checkpoints_;
  std::string data_sha256_;
  Clock::time_point constructed_;
  DataLoader loader_;
  bool has_validation_;
  LrSchedule schedule_;
  StepRunner runner_;
  std::optional<text::Generator> generator_;  // where samples are asked for
  TrainerState state_;
  std::optional<RunLog> metrics_;
  ProgressLine progress_;
  TrainSummary summary_;
  std::int64_t first_step_ = 0;                 // of this process
  std::optional<std::int64_t> saved_step_;      // of the newest checkpoint
  std::optional<std::int64_t> evaluated_step_;  // whose weights summary_.val_loss speaks of
  Clock::time_point mark_;                      // steps are timed from here
  std::int64_t marked_step_ = 0;                // finished then
};

}  // namespace vkgpt::train
