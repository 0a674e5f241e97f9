#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "vkgpt/comm/communicator.hpp"
#include "vkgpt/model/gpt_config.hpp"
#include "vkgpt/text/corpus/corpus.hpp"
#include "vkgpt/text/generate/generator.hpp"
#include "vkgpt/text/tokenizer/tokenizer.hpp"
#include "vkgpt/train/checkpoint.hpp"
#include "vkgpt/train/data_loader.hpp"
#include "vkgpt/train/lr_schedule.hpp"
#include "vkgpt/train/outer_step.hpp"
#include "vkgpt/train/pace.hpp"
#include "vkgpt/train/progress.hpp"
#include "vkgpt/train/run_reporter.hpp"
#include "vkgpt/train/skipped_steps.hpp"
#include "vkgpt/train/step_runner.hpp"
#include "vkgpt/train/train_config.hpp"
#include "vkgpt/train/trainer_state.hpp"
#include "vkgpt/vk/context.hpp"

namespace vkgpt::train {

struct TrainSummary {
  std::int64_t steps = 0;            // completed in the whole run
  std::optional<double> train_loss;  // of the last step that was logged, nats per token
  std::optional<double> val_loss;
  std::optional<double> best_val_loss;
  double seconds = 0;             // of training, evaluations and samples included
  double tokens_per_second = 0;   // of replayed steps
  double first_step_seconds = 0;  // from the trainer's construction to the end of its first step
  std::uint64_t device_bytes = 0;
  bool interrupted = false;
};

/// What a run works on; everything outlives the trainer.
struct RunInput {
  const model::GptConfig& model;
  const text::Tokenizer& tokenizer;
  const text::Corpus& corpus;
  CheckpointStore& checkpoints;
  /// The windows of documents; null where the corpus is one long text.
  const PackedSplits* packed = nullptr;
  /// Called once the run can begin: nothing refuses it any more.
  std::function<void()> on_ready = {};
  /// Called after every step, in order, at most two steps late; false ends the run, which is saved.
  std::function<bool(const Progress&)> on_step = {};
  /// Those with which the run is trained together; null where it is alone.
  comm::Communicator* ranks = nullptr;

  bool leads() const { return ranks == nullptr || ranks->rank() == 0; }
};

struct OuterState;

/// The training loop: steps, evaluations, samples, statistics, checkpoints.
class Trainer {
 public:
  /// Allocates everything and loads the newest checkpoint when `config.resume`.
  Trainer(vk::Context& context, const RunInput& input, const TrainConfig& config, double submit_budget_ns);

  /// Trains to `max_steps`, or until a signal arrives or `on_step` says so: then a checkpoint is written too.
  /// Any error but a lost device is thrown after what is reached was saved.
  TrainSummary run();

 private:
  void start_fresh();
  void restore(const Checkpoint& checkpoint);
  /// Of pairs: what the reference says of them, computed once in a run.
  void find_reference();
  /// Steps with what is due between them; false when a signal or `on_step` ended them early.
  bool train();
  void save();
  /// The same when an error ends the run; failing is only warned about.
  void save_before_ending();
  /// Whether loss or gradients of the last step were not finite: a checkpoint of its weights waits, lest it
  /// take the place of a good one.
  bool is_skipping();
  /// Whether a signal asked to end; of several ranks, whether all know.
  bool ending() const;
  bool write_checkpoint();
  bool save_run(const OuterState* workers);
  /// False when a signal arrived instead.
  bool train_step();
  bool evaluate();
  void sample();
  /// What the next sample continues.
  std::vector<text::Token> sample_prompt() const;
  void take_outcomes();
  void take_outcome(const StepOutcome& outcome);
  /// The losses of a run that had nothing left to train, as its log has them.
  void recall_losses();
  bool due(std::int64_t interval) const;
  bool owes_evaluation() const;
  /// Whether all ranks hold the same weights: always, but for workers that train apart for a round.
  bool in_common() const;
  void begin_rounds();
  void end_round();
  std::int64_t finished() const { return static_cast<std::int64_t>(state_.step); }

  vk::Context& context_;
  RunInput input_;
  std::optional<Checkpoint> checkpoint_;  // to be continued
  TrainConfig config_;
  std::chrono::steady_clock::time_point constructed_;
  DataLoader loader_;
  LrSchedule schedule_;
  StepRunner runner_;
  std::unique_ptr<comm::Communicator> solo_;  // of a run of workers that has one
  std::optional<OuterStep> outer_;            // where workers train apart
  std::optional<text::Generator> generator_;  // where samples are asked for
  TrainerState state_;
  std::optional<RunReporter> reporter_;
  Pace pace_;
  TrainSummary summary_;
  std::int64_t first_step_ = 0;                 // of this process
  std::int64_t last_common_ = 0;                // the last step before this one with the same weights on all
  bool outer_stop_ = false;                     // a worker wished to end, known to all after a round
  std::optional<std::int64_t> saved_step_;      // of the newest checkpoint
  std::optional<std::int64_t> evaluated_step_;  // whose weights summary_.val_loss speaks of
  bool save_is_due_ = false;
  SkippedSteps skipped_;
  bool stopped_ = false;  // by on_step
};

}  // namespace vkgpt::train
