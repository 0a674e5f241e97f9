#include "vkgpt/train/trainer.hpp"

#include <algorithm>
#include <cmath>
#include <format>
#include <span>
#include <utility>
#include <vector>

#include "vkgpt/core/check.hpp"
#include "vkgpt/core/error.hpp"
#include "vkgpt/core/interrupt.hpp"
#include "vkgpt/core/log.hpp"
#include "vkgpt/model/model_directory.hpp"
#include "vkgpt/train/resume.hpp"

#include "train/run_state.hpp"

namespace vkgpt::train {
namespace {

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

nlohmann::ordered_json stats_json(const std::vector<TensorStats>& stats) {
  nlohmann::ordered_json json = nlohmann::ordered_json::object();
  for (const TensorStats& tensor : stats) {
    json[tensor.name] = {
        {"norm", tensor.norm}, {"max", tensor.max}, {"nan", tensor.nan_count}, {"inf", tensor.inf_count}};
  }
  return json;
}

/// The batch size is settled by the device's memory, or by the checkpoint that is to be continued.
TrainConfig settled(TrainConfig config, const model::GptConfig& model_config,
                    const std::optional<Checkpoint>& checkpoint, const vk::DeviceCaps& caps) {
  if (config.batch_size > 0) return config;
  if (checkpoint) {
    const Path state = checkpoint->directory / kTrainerStateFile;
    config.batch_size = trainer_state_from_json(read_file(state), state.string()).batch_size;
  } else {
    config.batch_size = resolve_batch_size(model::GptParams(model_config, adaptation(config)), config, caps);
  }
  log_info("batch size: {}", config.batch_size);
  return config;
}

}  // namespace

Trainer::Trainer(vk::Context& context, const model::GptConfig& model_config, const TrainConfig& config,
                 const text::Tokenizer& tokenizer, const text::Corpus& corpus, CheckpointStore& checkpoints,
                 double submit_budget_ns)
    : context_(context),
      model_config_(model_config),
      checkpoint_(config.resume ? checkpoints.newest() : std::nullopt),
      config_(settled(config, model_config, checkpoint_, context.caps())),
      tokenizer_(tokenizer),
      checkpoints_(checkpoints),
      data_sha256_(corpus.fingerprint()),
      constructed_(Clock::now()),
      loader_(corpus.train(), corpus.validation(), model_config.block_size, config.seed,
              {.order = parse_batch_order(config.batch_order), .micro_steps = config.grad_accum_steps}),
      has_validation_(corpus.validation().size() > 0),
      schedule_(config),
      runner_(context, model_config, config_, loader_, [] { return !interrupted(); }, submit_budget_ns) {
  if (config_.sample_interval > 0) {
    generator_.emplace(context_, runner_.store(), runner_.params(), tokenizer_.vocab_size());
  }
  if (checkpoint_) {
    restore(*checkpoint_);
  } else {
    start_fresh();
  }
  first_step_ = finished();
  metrics_.emplace(Path(config_.out_dir), finished());
}

void Trainer::start_fresh() {
  state_.seed = config_.seed;
  state_.batch_size = config_.batch_size;
  state_.data_sha256 = data_sha256_;
  if (config_.init_from.empty()) {
    runner_.set_parameters(model::initial_parameters(runner_.params(), config_.seed));
    return;
  }
  const Path directory = find_model_directory(config_.init_from);
  runner_.set_parameters(parameters_from(model::load_model(directory), runner_.params(), config_.seed));
  if (config_.keep_optimizer) read_optimizer_state(directory, runner_);
  log_info("starting from the weights of {}", directory.string());
}

void Trainer::restore(const Checkpoint& checkpoint) {
  const Path& directory = checkpoint.directory;
  state_ = resume_state(checkpoint, model_config_, config_, data_sha256_);
  read_run_state(directory, runner_);
  saved_step_ = finished();
  log_info("resumed from {} (step {})", directory.string(), state_.step);
}

void Trainer::save() {
  if (saved_step_ == finished()) return;
  runner_.drain();
  report_steps();
  progress_.clear();
  const std::optional<double> val_loss = evaluated_step_ == finished() ? summary_.val_loss : std::nullopt;
  const auto saved = checkpoints_.save(state_.step, val_loss, [&](CheckpointWriter& out) {
    for (const text::TokenizerFile& file : tokenizer_.files()) out.write(file.name, file.contents);
    out.write(kTrainerStateFile, trainer_state_to_json(state_));
    write_run_state(out, runner_, tokenizer_.end_of_text());
  });
  if (saved) {
    saved_step_ = finished();
    log_info("saved {}", saved->directory.string());
  }
  mark_ = Clock::now();
  marked_step_ = finished();
}

bool Trainer::due(std::int64_t interval) const {
  return interval > 0 && finished() % interval == 0;
}

TrainSummary Trainer::run() {
  const auto start = Clock::now();
  mark_ = start;
  marked_step_ = finished();
  bool going = !interrupted();
  while (going && finished() < config_.max_steps) {
    going = train_step();
    if (going && due(config_.eval_interval)) going = evaluate();
    if (going && due(config_.sample_interval)) sample();
    // After the last step the evaluation comes first: the checkpoint records its loss.
    if (going && due(config_.save_interval) && finished() < config_.max_steps) save();
    context_.instance().check_messages();
  }
  runner_.drain();
  report_steps();
  if (going && first_step_ < finished() && evaluated_step_ != finished()) going = evaluate();
  save();
  progress_.clear();
  context_.instance().check_messages();
  if (saved_step_ != finished()) {
    fail("the checkpoint of step {} could not be saved; the one of step {} is the newest", finished(),
         saved_step_.value_or(0));
  }
  summary_.interrupted = !going;
  summary_.steps = finished();
  summary_.best_val_loss = state_.best_val_loss;
  summary_.seconds = seconds_since(start);
  summary_.device_bytes = runner_.store().allocated_bytes();
  return summary_;
}

bool Trainer::train_step() {
  const auto step = static_cast<std::int64_t>(state_.step);
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
    mark_ = Clock::now();
    marked_step_ = finished();
  }
  report_steps();
  if (with_stats) report_stats();
  return true;
}

void Trainer::report_steps() {
  while (const std::optional<StepOutcome> outcome = runner_.take_outcome()) report_step(*outcome);
}

void Trainer::report_step(const StepOutcome& outcome) {
  const model::StepResults& results = outcome.results;
  summary_.train_loss = results.loss;
  const std::int64_t done = outcome.step + 1;
  if (results.skipped != 0) {
    progress_.clear();
    log_warning("step {}: a gradient or the loss is not finite; the weights stay as they were", done);
  }
  Progress progress;
  progress.step = done;
  progress.max_steps = config_.max_steps;
  progress.loss = results.loss;
  progress.learning_rate = schedule_.at(outcome.step);
  progress.grad_norm = results.grad_norm;
  progress.memory_bytes = runner_.store().allocated_bytes();
  const std::int64_t timed = done - marked_step_;
  if (timed > 0) {
    progress.step_seconds = seconds_since(mark_) / static_cast<double>(timed);
    progress.tokens_per_second =
        static_cast<double>(runner_.step_tokens(outcome.step)) / progress.step_seconds;
    progress.eta_seconds = progress.step_seconds * static_cast<double>(config_.max_steps - done);
    summary_.tokens_per_second = progress.tokens_per_second;
  }
  const bool last = done == config_.max_steps;
  if (config_.log_interval == 0 || (done % config_.log_interval != 0 && !last)) {
    progress_.update(progress);
    return;
  }
  progress_.log(progress);
  metrics_->write({{"step", done},
                   {"loss", results.loss},
                   {"learning_rate", progress.learning_rate},
                   {"grad_norm", results.grad_norm},
                   {"clip_scale", results.clip_scale},
                   {"loss_scale", results.loss_scale},
                   {"skipped", results.skipped != 0},
                   {"step_seconds", progress.step_seconds},
                   {"tokens_per_second", progress.tokens_per_second}});
}

void Trainer::report_stats() {
  const std::vector<TensorStats>& gradients = runner_.gradient_stats();
  double sum = 0;
  const TensorStats* largest = &gradients.front();
  std::uint64_t bad = 0;
  for (const TensorStats& tensor : gradients) {
    sum += tensor.norm;
    if (tensor.norm > largest->norm) largest = &tensor;
    bad += tensor.nan_count + tensor.inf_count;
  }
  progress_.clear();
  log_info("[Iter {}] Grad Norms | Avg: {:.6f} | Max: {:.6f} ({}){}", state_.step,
           sum / static_cast<double>(gradients.size()), largest->norm, largest->name,
           bad > 0 ? std::format(" | {} values not finite", bad) : "");
  metrics_->write({{"step", state_.step},
                   {"gradients", stats_json(gradients)},
                   {"activations", stats_json(runner_.activation_stats())}});
}

bool Trainer::evaluate() {
  const auto start = Clock::now();
  const std::optional<double> train_loss = runner_.evaluate(Split::kTrain, config_.eval_iters);
  const std::optional<double> val_loss =
      train_loss && has_validation_ ? runner_.evaluate(Split::kValidation, config_.eval_iters) : std::nullopt;
  std::optional<double> ema_loss;
  if (val_loss && runner_.has_average()) {
    ema_loss = runner_.evaluate(Split::kValidation, config_.eval_iters, Weights::kAverage);
  }
  report_steps();
  if (!train_loss || (has_validation_ && !val_loss)) return false;
  progress_.clear();
  nlohmann::ordered_json record = {{"step", state_.step}, {"train_loss", *train_loss}};
  evaluated_step_ = finished();
  summary_.val_loss = val_loss;
  bool best = false;
  if (val_loss) {
    record["val_loss"] = *val_loss;
    best = std::isfinite(*val_loss) && (!state_.best_val_loss || *val_loss < *state_.best_val_loss);
    if (best) {
      state_.best_val_loss = *val_loss;
      state_.best_step = state_.step;
    }
  }
  if (ema_loss) record["ema_val_loss"] = *ema_loss;
  log_info("step {}: train loss {:.4f}, val loss {}{}{} ({:.1f} s)", state_.step, *train_loss,
           val_loss ? std::format("{:.4f}", *val_loss) : "n/a",
           ema_loss ? std::format(", of the average {:.4f}", *ema_loss) : "", best ? ", the best so far" : "",
           seconds_since(start));
  metrics_->write(record);
  if (best) save();
  mark_ = Clock::now();
  marked_step_ = finished();
  return true;
}

void Trainer::sample() {
  runner_.drain();
  report_steps();
  progress_.clear();
  text::GenerateConfig config;
  config.prompt = config_.sample_prompt;
  config.max_new_tokens = config_.sample_tokens;
  config.seed = config_.seed;
  const std::vector<text::Token> prompt = tokenizer_.encode(config.prompt);
  const std::vector<text::Token> tokens = generator_->generate(prompt, config, text::SamplerConfig{}, 0);
  const std::string sample = config.prompt + tokenizer_.decode(tokens);
  log_info("sample at step {}:\n{}\n", state_.step, sample);
  const Path directory = Path(config_.out_dir) / "samples";
  make_directories(directory);
  replace_file(directory / std::format("step-{}.txt", state_.step), sample);
  mark_ = Clock::now();
  marked_step_ = finished();
}

}  // namespace vkgpt::train
