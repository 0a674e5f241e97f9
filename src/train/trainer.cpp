#include "vkgpt/train/trainer.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <exception>
#include <span>
#include <utility>
#include <vector>

#include "vkgpt/comm/agreement.hpp"
#include "vkgpt/comm/collectives.hpp"
#include "vkgpt/core/check.hpp"
#include "vkgpt/core/error.hpp"
#include "vkgpt/core/interrupt.hpp"
#include "vkgpt/core/log.hpp"
#include "vkgpt/model/model_directory.hpp"
#include "vkgpt/train/init_adapter.hpp"
#include "vkgpt/train/resume.hpp"
#include "vkgpt/train/run_history.hpp"
#include "vkgpt/vk/result.hpp"

#include "train/outer_state.hpp"
#include "train/pair_reference.hpp"
#include "train/run_state.hpp"

namespace vkgpt::train {
namespace {

DataLoader loader_of(const RunInput& input, const TrainConfig& config) {
  const DataOrder order{.order = parse_batch_order(config.batch_order),
                        .micro_steps = config.grad_accum_steps};
  if (input.packed != nullptr) return {input.corpus, *input.packed, config.seed, order};
  return {input.corpus.train(), input.corpus.validation(), input.model.block_size, config.seed, order};
}

/// The configuration with a batch that every rank's device holds.
TrainConfig settled(const TrainConfig& config, const RunInput& input,
                    const std::optional<Checkpoint>& checkpoint, const vk::Target& target) {
  const model::RankOptions ranks = input.ranks == nullptr
                                       ? rank_options(config, 0, 1)
                                       : rank_options(config, input.ranks->rank(), input.ranks->size());
  TrainConfig result = with_settled_batch_size(config, input.model, checkpoint, target, ranks);
  if (input.ranks != nullptr && config.batch_size == 0) {
    result.batch_size =
        std::ranges::min(comm::all_gather_value(*input.ranks, result.batch_size, "automatic batch size"));
  }
  return result;
}

}  // namespace

Trainer::Trainer(vk::Context& context, const RunInput& input, const TrainConfig& config,
                 double submit_budget_ns)
    : context_(context),
      input_(input),
      checkpoint_(config.resume ? input.checkpoints.newest() : std::nullopt),
      config_(settled(config, input, checkpoint_, context.target())),
      constructed_(std::chrono::steady_clock::now()),
      loader_(loader_of(input, config)),
      schedule_(config),
      runner_(
          context, input.model, config_, loader_,
          // Workers that train apart end with a round.
          [apart = config.is_diloco()] { return apart || !interrupted(); }, submit_budget_ns, input.ranks) {
  if (config_.sample_interval > 0 && input_.leads()) {
    generator_.emplace(context_, runner_.store(), runner_.params(), input_.tokenizer.vocab_size(),
                       model::DecodeOptions{.blocks = find_block_type(config_.base_dtype)});
  }
  runner_.record_ahead(config_.stats_interval > 0);
  if (generator_) generator_->record();
  if (checkpoint_) {
    restore(*checkpoint_);
  } else {
    start_fresh();
  }
  if (input_.ranks != nullptr) comm::agree(*input_.ranks, {{"model", runner_.model_sha256()}});
  if (config_.is_dpo()) find_reference();
  begin_rounds();
  first_step_ = last_common_ = finished();
  if (input_.on_ready) input_.on_ready();
  if (input_.leads()) reporter_.emplace(config_, finished());
}

void Trainer::start_fresh() {
  state_.seed = config_.seed;
  state_.batch_size = config_.batch_size;
  state_.data_sha256 = input_.corpus.fingerprint();
  state_.val_tokens = input_.corpus.validation().size();
  if (config_.init_from.empty()) {
    runner_.set_parameters(model::initial_parameters(runner_.params(), config_.seed));
    return;
  }
  const Path directory = find_model_directory(config_.init_from);
  if (runner_.has_base()) {
    set_base(runner_);
    state_.base_sha256 = runner_.base_sha256();
    std::vector<float> adapters = model::initial_trainable(runner_.params(), config_.seed);
    read_init_adapter(config_, runner_.params(), adapters);
    runner_.set_parameters(adapters);
    log_info("starting from {}, held in {}", directory.string(), config_.base_dtype);
    return;
  }
  std::vector<float> arena = parameters_from(model::load_model(directory), runner_.params(), config_.seed);
  read_init_adapter(config_, runner_.params(), arena);
  runner_.set_parameters(arena);
  if (config_.keep_optimizer) state_.kept_steps = keep_optimizer_state(directory, runner_);
  log_info("starting from the weights of {}", directory.string());
}

void Trainer::restore(const Checkpoint& checkpoint) {
  state_ = resume_state(checkpoint, input_.model, config_, input_.corpus);
  read_run_state(checkpoint.directory, runner_);
  // Checkpoints of older versions do not tell their base.
  if (!state_.base_sha256.empty() && state_.base_sha256 != runner_.base_sha256()) {
    fail_usage("{} has adapters of another model than the one that {} holds now",
               checkpoint.directory.string(), config_.init_from);
  }
  state_.base_sha256 = runner_.base_sha256();
  runner_.set_shares(state_.shares);
  runner_.set_kept_steps(state_.kept_steps);
  saved_step_ = finished();
  log_info("resumed from {} (step {})", checkpoint.directory.string(), state_.step);
}

void Trainer::find_reference() {
  const bool adapts = !checkpoint_ && !config_.init_adapter.empty();
  const PairReference reference{.directory = config_.out_dir,
                                .model = checkpoint_ ? Path() : find_model_directory(config_.init_from),
                                .adapter = adapts ? find_model_directory(config_.init_adapter) : Path(),
                                .data_sha256 = input_.corpus.fingerprint(),
                                .settings = reference_settings(config_, input_.model, context_.caps())};
  for (const auto& [split, scores] :
       pair_scores(reference, runner_, loader_, checkpoint_.has_value(), input_.ranks)) {
    loader_.set_reference(split, scores);
  }
}

void Trainer::save() {
  save_is_due_ = false;
  if (saved_step_ == finished()) return;
  runner_.drain();
  take_outcomes();
  if (reporter_) reporter_->clear();
  if (write_checkpoint()) saved_step_ = finished();
  pace_.restart(finished());
}

/// Whether it is written; of several ranks, rank 0 writes.
bool Trainer::write_checkpoint() {
  std::optional<OuterState> workers;
  if (outer_) workers.emplace(gather_outer_state(runner_, *outer_));
  if (!input_.leads()) runner_.state().send();
  std::byte saved{0};
  if (input_.leads()) {
    if (save_run(workers ? &*workers : nullptr)) saved = std::byte{1};
    runner_.state().finish();
  }
  if (input_.ranks != nullptr) {
    comm::broadcast(*input_.ranks, std::span(&saved, 1), "checkpoint", 0, comm::Patience::kLong);
  }
  return saved != std::byte{0};
}

bool Trainer::save_run(const OuterState* workers) {
  state_.shares = runner_.shares();
  const std::optional<double> val_loss = evaluated_step_ == finished() ? summary_.val_loss : std::nullopt;
  const auto saved = input_.checkpoints.save(state_.step, val_loss, [&](CheckpointWriter& out) {
    for (const text::TokenizerFile& file : input_.tokenizer.files()) out.write(file.name, file.contents);
    out.write(kTrainerStateFile, trainer_state_to_json(state_));
    write_run_state(out, runner_, input_.tokenizer.token_ids());
    if (workers != nullptr) write_outer_state(out, *workers);
  });
  if (saved) log_info("saved {}", saved->directory.string());
  return saved.has_value();
}

bool Trainer::is_skipping() {
  if (outer_) return false;  // the others may not skip
  runner_.drain();
  take_outcomes();
  return skipped_.any();
}

void Trainer::save_before_ending() {
  if (input_.ranks != nullptr || !in_common()) return;  // the others may not be where this one is
  if (skipped_.are_too_many()) return;                  // the checkpoints there are worth more
  try {
    save();
  } catch (const std::exception& error) {
    log_warning("what was reached could not be saved: {}", error.what());  // another error ends the run
  }
}

bool Trainer::ending() const {
  if (outer_) return outer_stop_;
  return input_.ranks != nullptr ? runner_.stop_agreed() : interrupted();
}

/// What falls into a round waits for its end.
bool Trainer::due(std::int64_t interval) const {
  return interval > 0 && in_common() && finished() / interval > last_common_ / interval;
}

bool Trainer::in_common() const {
  return !outer_ || finished() % config_.sync_every == 0 || finished() == config_.max_steps;
}

void Trainer::begin_rounds() {
  if (!config_.is_diloco()) return;
  comm::Communicator* ranks = input_.ranks;
  if (ranks == nullptr) {
    solo_ = comm::make_solo();
    ranks = solo_.get();
  }
  VKGPT_CHECK(ranks != nullptr);
  outer_.emplace(*ranks, runner_.store(), runner_.params().trainable_elements(), outer_options(config_));
  if (checkpoint_) read_outer_state(checkpoint_->directory, runner_, *outer_);
  outer_->begin();
}

void Trainer::end_round() {
  runner_.drain();
  outer_->run();
  runner_.prepare();
  const auto wishes =
      comm::all_gather_value<std::uint8_t>(outer_->ranks(), interrupted() ? 1 : 0, "end of a round");
  outer_stop_ = std::ranges::contains(wishes, std::uint8_t{1});
}

/// Whether a signal came before the evaluation of the step that the run goes on from.
bool Trainer::owes_evaluation() const {
  const std::int64_t interval = config_.eval_interval, done = finished();
  if (!checkpoint_ || checkpoint_->val_loss || !loader_.has_validation() || done == 0) return false;
  const std::int64_t before = done - (outer_ ? std::min(done, config_.sync_every) : 1);
  return done == config_.max_steps || (interval > 0 && done / interval > before / interval);
}

bool Trainer::train() {
  if (owes_evaluation()) {
    if (!evaluate()) return false;
    saved_step_.reset();  // the checkpoint is to tell its loss
    save();
  }
  while (!ending() && !(stopped_ && in_common()) && finished() < config_.max_steps) {
    if (!train_step()) return false;
    if (due(config_.eval_interval) && !evaluate()) return false;
    if (due(config_.sample_interval) && generator_) sample();
    // After the last step the evaluation comes first: the checkpoint records its loss.
    save_is_due_ = save_is_due_ || (due(config_.save_interval) && finished() < config_.max_steps);
    if (save_is_due_ && in_common() && !is_skipping()) save();
    if (in_common()) last_common_ = finished();
    context_.instance().check_messages();
  }
  runner_.drain();
  take_outcomes();
  if (ending() || stopped_) return false;
  return first_step_ == finished() || evaluated_step_ == finished() || evaluate();
}

TrainSummary Trainer::run() {
  const auto start = std::chrono::steady_clock::now();
  pace_.restart(finished());
  try {
    summary_.interrupted = !train() && !stopped_;
  } catch (const vk::DeviceLost&) {
    throw;  // what is in memory is not to be trusted
  } catch (const std::exception&) {
    save_before_ending();
    throw;
  }
  save();
  if (reporter_) reporter_->clear();
  context_.instance().check_messages();
  if (saved_step_ != finished()) {
    fail("the checkpoint of step {} could not be saved; the one of step {} is the newest", finished(),
         saved_step_.value_or(0));
  }
  if (first_step_ == finished() && input_.leads()) recall_losses();
  summary_.steps = finished();
  summary_.best_val_loss = state_.best_val_loss;
  summary_.seconds = seconds_since(start);
  summary_.device_bytes = runner_.store().allocated_bytes();
  return summary_;
}

void Trainer::recall_losses() {
  try {
    const RunHistory history = read_run_history(config_.out_dir);
    if (!history.loss.empty()) summary_.train_loss = history.loss.values.back();
    const Series& val_loss = history.val_loss;
    if (!summary_.val_loss && !val_loss.empty() && val_loss.steps.back() == static_cast<double>(finished())) {
      summary_.val_loss = val_loss.values.back();
    }
  } catch (const Error&) {
    // without a log they stay unknown
  }
}

bool Trainer::train_step() {
  const std::int64_t step = finished();
  const double learning_rate = schedule_.at(step);
  const bool with_stats = config_.stats_interval > 0 && (step + 1) % config_.stats_interval == 0;
  // The first step runs eagerly: its times are the measure by which the recording is split.
  const bool first = step == first_step_;
  const bool done = with_stats ? runner_.run_with_stats(step, learning_rate)
                    : first    ? runner_.run_eager(step, learning_rate)
                               : runner_.submit(step, learning_rate);
  if (!done) return false;
  state_.tokens_seen += static_cast<std::uint64_t>(runner_.step_tokens(step));
  ++state_.step;
  if (first) {
    summary_.first_step_seconds = seconds_since(constructed_);
    runner_.record_steps();
    pace_.restart(finished());
  }
  if (outer_ && in_common()) end_round();
  take_outcomes();
  if (with_stats && reporter_) {
    reporter_->stats(state_.step, {.gradients = runner_.gradient_stats(),
                                   .activations = runner_.activation_stats(),
                                   .times = runner_.eager_times(),
                                   .memory = runner_.executor().schedule().memory.bytes_by_role});
  }
  return true;
}

void Trainer::take_outcomes() {
  while (const std::optional<StepOutcome> outcome = runner_.take_outcome()) take_outcome(*outcome);
}

void Trainer::take_outcome(const StepOutcome& outcome) {
  const std::int64_t done = outcome.step + 1;
  Progress progress{.step = done,
                    .max_steps = config_.max_steps,
                    .loss = outcome.results.loss,
                    .learning_rate = schedule_.at(outcome.step),
                    .grad_norm = outcome.results.grad_norm,
                    .step_seconds = pace_.step_seconds(done),
                    .mfu = {},
                    .memory_bytes = runner_.store().allocated_bytes()};
  if (progress.step_seconds > 0) {
    progress.tokens_per_second =
        static_cast<double>(runner_.step_tokens(outcome.step)) / progress.step_seconds;
    progress.eta_seconds = progress.step_seconds * static_cast<double>(config_.max_steps - done);
    summary_.tokens_per_second = progress.tokens_per_second;
  }
  summary_.train_loss = progress.loss;
  if (reporter_) reporter_->step(progress, outcome);
  if (input_.on_step && !input_.on_step(progress)) stopped_ = true;
  skipped_.count(outcome, saved_step_);
}

bool Trainer::evaluate() {
  const auto start = std::chrono::steady_clock::now();
  const std::optional<double> train_loss = runner_.evaluate(Split::kTrain, config_.eval_iters);
  take_outcomes();
  if (!train_loss) return false;
  EvaluationLosses losses{.train = *train_loss, .validation = {}, .average = {}};
  if (loader_.has_validation()) {
    losses.validation = runner_.evaluate(Split::kValidation, config_.eval_iters);
    if (!losses.validation) return false;
    if (runner_.has_average()) {
      losses.average = runner_.evaluate(Split::kValidation, config_.eval_iters, Weights::kAverage);
    }
  }
  losses.preference = runner_.evaluated_preference();
  evaluated_step_ = finished();
  summary_.val_loss = losses.validation;
  const bool is_best = losses.validation && std::isfinite(*losses.validation) &&
                       (!state_.best_val_loss || *losses.validation < *state_.best_val_loss);
  if (is_best) {
    state_.best_val_loss = losses.validation;
    state_.best_step = state_.step;
  }
  if (reporter_) reporter_->evaluation(state_.step, losses, is_best, seconds_since(start));
  if (is_best) save();
  pace_.restart(finished());
  return true;
}

}  // namespace vkgpt::train
