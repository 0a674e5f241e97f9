#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "vkgpt/comm/communicator.hpp"
#include "vkgpt/model/gpt_config.hpp"
#include "vkgpt/model/param_source.hpp"
#include "vkgpt/model/preference.hpp"
#include "vkgpt/model/train_step.hpp"
#include "vkgpt/plan/executor.hpp"
#include "vkgpt/plan/tensor_store.hpp"
#include "vkgpt/train/curriculum.hpp"
#include "vkgpt/train/data_loader.hpp"
#include "vkgpt/train/plan_options.hpp"
#include "vkgpt/train/rank_state.hpp"
#include "vkgpt/train/rank_step.hpp"
#include "vkgpt/train/train_config.hpp"
#include "vkgpt/vk/context.hpp"

namespace vkgpt::train {

/// Statistics of one tensor in an eager pass.
struct TensorStats {
  std::string name;
  double norm = 0;
  double max = 0;  // largest magnitude
  std::uint64_t nan_count = 0;
  std::uint64_t inf_count = 0;
};

/// The weights that an evaluation uses.
enum class Weights { kCurrent, kAverage };

struct StepOutcome {
  std::int64_t step = 0;
  model::StepResults results;
  std::optional<model::PreferenceResults> preference = {};  // of a step on pairs
};

/// Runs optimizer steps and evaluations on one device: fills slots, submits the recorded segments, hands out
/// results as they complete. Two submissions are in flight.
class StepRunner {
 public:
  /// Everything is allocated here. `context` and the tokens behind `loader` outlive the runner. `keep_going`
  /// is asked at every submit boundary. With `ranks`, which outlive it, steps and evaluations are taken
  /// together; `keep_going` is then a wish, on which all ranks agree at the end of a step.
  StepRunner(vk::Context& context, const model::GptConfig& model_config, const TrainConfig& config,
             const DataLoader& loader, std::function<bool()> keep_going,
             double submit_budget_ns = plan::Executor::kSubmitBudgetNs, comm::Communicator* ranks = nullptr);

  /// Records evaluations, and allocates what eager steps need, with statistics where `with_stats`: so that
  /// memory can only run out before the first step. Everything else that shares the store has reserved its
  /// memory by then.
  void record_ahead(bool with_stats);
  /// Records the train step of every context length. The one that ran eagerly before is split by its times;
  /// where one of its dispatches took longer than a submission may, everything is planned anew with smaller
  /// ones first.
  void record_steps();

  /// Replays step `step` (from 0). False when `keep_going` said no: the weights are then those after the last
  /// whole step.
  bool submit(std::int64_t step, double learning_rate);
  /// The same step, bit for bit, dispatch by dispatch and waited for.
  bool run_eager(std::int64_t step, double learning_rate);
  /// The same with taps: leaves gradient and activation statistics.
  bool run_with_stats(std::int64_t step, double learning_rate);

  const std::vector<TensorStats>& gradient_stats() const { return gradient_stats_; }
  const std::vector<TensorStats>& activation_stats() const { return activation_stats_; }
  /// Times of the last eager pass, dispatch by dispatch.
  const std::vector<plan::DispatchTime>& eager_times() const { return eager_times_; }

  /// Micro-steps of the ranks where they follow measured speed, else none.
  std::vector<std::int64_t> shares() const;
  /// Those of a run that goes on, where they fit this one.
  void set_shares(std::span<const std::int64_t> shares);
  /// Steps that the optimizer's moments are older than the run: they count where Adam corrects their bias.
  void set_kept_steps(std::uint64_t steps) { kept_steps_ = static_cast<std::int64_t>(steps); }

  /// Whether a rank wished to end; the same on all of them.
  bool stop_agreed() const { return stop_agreed_; }
  /// The optimizer's state, whole in files.
  RankState& state() { return *state_; }

  /// The results of a completed step, oldest first.
  std::optional<StepOutcome> take_outcome();
  /// Waits until every submitted step has completed.
  void drain();

  /// Mean loss over `batches` batches of a split, the same batches each time; nothing when interrupted.
  std::optional<double> evaluate(Split split, std::int64_t batches, Weights weights = Weights::kCurrent);

  /// Of pairs: what the last evaluation found beside the loss.
  const std::optional<model::PreferenceResults>& evaluated_preference() const { return evaluated_; }
  /// Of pairs: sums of log-probabilities of all replies of a split, in the order of its windows; nothing when
  /// interrupted.
  std::optional<PairScores> score_pairs(Split split);

  plan::TensorStore& store() { return store_; }
  const plan::TensorStore& store() const { return store_; }
  /// The executor of the full context length.
  plan::Executor& executor() { return stages_.back().executor; }
  const plan::Executor& executor() const { return stages_.back().executor; }
  bool has_average() const { return config_.ema; }
  const model::GptParams& params() const { return params_; }
  /// Tokens that step `step` trains on, micro-steps included.
  std::int64_t step_tokens(std::int64_t step) const;

  /// Gives the parameters (arena; with --base_dtype its trainable part); averages start there too.
  void set_parameters(std::span<const float> arena);
  /// Gives those that --base_dtype holds apart.
  void set_base(const model::ParamSource& source);
  /// SHA-256 of the base as the device holds it, 64 hexadecimal digits; empty where there is none.
  const std::string& base_sha256() const { return base_sha256_; }
  /// SHA-256 of all parameters, trained or not, as the device holds them.
  std::string model_sha256() const;
  bool has_base() const { return config_.base_dtype != "f32"; }
  /// Elements of the arena of parameters on the device.
  std::int64_t arena_elements() const {
    return has_base() ? params_.trainable_elements() : params_.arena_elements();
  }
  const TrainConfig& config() const { return config_; }
  /// To be called when the host has changed parameters behind the runner's back.
  void prepare();

 private:
  enum class Mode { kReplay, kEager, kStats };

  /// The recordings of one context length.
  struct Stage {
    Stage(vk::Context& context, plan::TensorStore& store, const model::GptParams& params,
          const TrainConfig& config, const DataLoader& whole, std::int64_t length, double submit_budget_ns,
          const model::RankOptions& ranks);

    std::int64_t T;
    DataLoader loader;
    plan::Executor tapped;  // first: its arenas are the larger ones
    plan::Executor executor;
  };

  /// This rank's share of the evaluation's batches; all ranks give the same mean.
  std::optional<double> evaluate_share(Split split, std::int64_t batches, Weights weights);
  using BatchSums = std::array<double, 6>;
  BatchSums evaluate_batch(Split split, std::int64_t batch, Weights weights);
  void run_rank_step(Stage& stage, std::int64_t step, double learning_rate, Mode mode);
  std::vector<std::uint64_t> run_micro_step(Stage& stage, int slot, bool is_first, bool sends, Mode mode);
  std::vector<std::uint64_t> bucket_values(const Stage& stage, const char* segment) const;
  void follow_speed();
  bool run_step(std::int64_t step, double learning_rate, Mode mode);
  void divide_long_dispatches();
  void run_segment(Stage& stage, const char* segment, int slot, Mode mode);
  BatchTarget batch_target(const Stage& stage, int slot);
  void add_pairs(BatchTarget& batch, int slot);
  std::optional<model::PreferenceResults> preference(const char* tensor, int slot) const;
  void fill_slot(Stage& stage, int slot, std::int64_t step, std::int64_t micro_step, double learning_rate);
  void fill_params(int slot, std::int64_t step, std::int64_t micro_step, double learning_rate);
  model::StepResults results(const char* tensor, int slot) const;
  void collect(int slot);
  void read_stats(int slot, const model::StepResults& results);

  vk::Context& context_;
  TrainConfig config_;
  double submit_budget_ns_;
  std::function<bool()> keep_going_;
  model::GptParams params_;
  std::unique_ptr<comm::Communicator> solo_;  // where there is no other
  comm::Communicator& ranks_;
  model::RankOptions rank_options_;
  plan::TensorStore store_;
  std::string base_sha256_;
  std::vector<CurriculumStage> curriculum_;
  std::deque<Stage> stages_;  // as in the curriculum; all are reserved before the first is recorded
  plan::SlotRing ring_;
  std::optional<std::int64_t> pending_[plan::kSlotCount];  // step whose results the slot will hold
  std::optional<RankStep> rank_step_;                      // where a step is more than this device's
  std::optional<RankState> state_;
  std::int64_t kept_steps_ = 0;
  bool stop_agreed_ = false;
  std::deque<StepOutcome> outcomes_;
  std::vector<std::int32_t> tokens_, positions_;  // of the micro-step that is being filled in
  std::optional<model::PreferenceResults> evaluated_;
  std::vector<TensorStats> gradient_stats_;
  std::vector<TensorStats> activation_stats_;
  std::vector<plan::DispatchTime> eager_times_;
  double micro_step_ns_ = 0;  // of the micro-steps of an eager step of several ranks
  // Of the run's micro-steps, this worker's first and how many there are; `config_` has its own.
  std::int64_t first_micro_step_ = 0;
  std::int64_t all_micro_steps_ = 1;
};

}  // namespace vkgpt::train
