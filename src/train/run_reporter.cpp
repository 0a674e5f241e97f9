#include "vkgpt/train/run_reporter.hpp"

#include <algorithm>
#include <map>
#include <utility>

#include "vkgpt/core/check.hpp"
#include "vkgpt/core/error.hpp"
#include "vkgpt/core/format.hpp"
#include "vkgpt/core/log.hpp"

namespace vkgpt::train {
namespace {

nlohmann::ordered_json stats_json(std::span<const TensorStats> stats) {
  nlohmann::ordered_json json = nlohmann::ordered_json::object();
  for (const TensorStats& tensor : stats) {
    json[tensor.name] = {
        {"norm", tensor.norm}, {"max", tensor.max}, {"nan", tensor.nan_count}, {"inf", tensor.inf_count}};
  }
  return json;
}

std::string preference_text(const model::PreferenceResults& results) {
  return vkgpt::format("chosen {:.4f}, rejected {:.4f}, margin {:.4f}, accuracy {:.1f} %", results.chosen,
                       results.rejected, results.margin(), 100 * results.accuracy);
}

/// Under TRL's names.
void add_preference(nlohmann::ordered_json& record, const model::PreferenceResults& results,
                    const std::string& prefix = "") {
  record[prefix + "rewards/chosen"] = results.chosen;
  record[prefix + "rewards/rejected"] = results.rejected;
  record[prefix + "rewards/margins"] = results.margin();
  record[prefix + "rewards/accuracies"] = results.accuracy;
}

}  // namespace

RunReporter::RunReporter(const TrainConfig& config, std::int64_t finished_steps)
    : directory_(config.out_dir), log_interval_(config.log_interval), log_(directory_, finished_steps) {}

void RunReporter::step(const Progress& progress, const StepOutcome& outcome) {
  const model::StepResults& results = outcome.results;
  if (results.skipped != 0) {
    progress_.clear();
    log_warning("step {}: a gradient or the loss is not finite; the weights stay as they were",
                progress.step);
  }
  const bool is_last = progress.step == progress.max_steps;
  if (log_interval_ == 0 || (progress.step % log_interval_ != 0 && !is_last)) {
    progress_.update(progress);
    return;
  }
  progress_.log(progress);
  nlohmann::ordered_json record = {{"step", progress.step},
                                   {"loss", results.loss},
                                   {"learning_rate", progress.learning_rate},
                                   {"grad_norm", results.grad_norm},
                                   {"clip_scale", results.clip_scale},
                                   {"loss_scale", results.loss_scale},
                                   {"skipped", results.skipped != 0},
                                   {"step_seconds", progress.step_seconds},
                                   {"tokens_per_second", progress.tokens_per_second}};
  if (outcome.preference) {
    log_info("rewards {}", preference_text(*outcome.preference));
    add_preference(record, *outcome.preference);
  }
  log_.write(record);
}

void RunReporter::stats(std::uint64_t step, const EagerPass& pass) {
  const std::span<const TensorStats> gradients = pass.gradients;
  VKGPT_CHECK(!gradients.empty());
  double sum = 0;
  std::uint64_t bad = 0;
  for (const TensorStats& tensor : gradients) {
    sum += tensor.norm;
    bad += tensor.nan_count + tensor.inf_count;
  }
  const TensorStats& largest = *std::ranges::max_element(gradients, {}, &TensorStats::norm);
  progress_.clear();
  log_info("[Iter {}] Grad Norms | Avg: {:.6f} | Max: {:.6f} ({}){}", step,
           sum / static_cast<double>(gradients.size()), largest.norm, largest.name,
           bad > 0 ? vkgpt::format(" | {} values not finite", bad) : "");
  std::map<std::string, double> kernels;
  for (const plan::DispatchTime& time : pass.times) kernels[time.stem] += 1e-9 * time.nanoseconds;
  nlohmann::ordered_json memory = nlohmann::ordered_json::object();
  for (const auto& [role, bytes] : pass.memory) memory[std::string(plan::role_name(role))] = bytes;
  log_.write({{"step", step},
              {"gradients", stats_json(gradients)},
              {"activations", stats_json(pass.activations)},
              {"memory", memory}});
  log_.write_times({{"step", step}, {"kernels", kernels}});
}

void RunReporter::evaluation(std::uint64_t step, const EvaluationLosses& losses, bool is_best,
                             double seconds) {
  progress_.clear();
  nlohmann::ordered_json record = {{"step", step}, {"train_loss", losses.train}};
  if (losses.validation) record["val_loss"] = *losses.validation;
  if (losses.average) record["ema_val_loss"] = *losses.average;
  log_info("step {}: train loss {:.4f}, val loss {}{}{} ({:.1f} s)", step, losses.train,
           losses.validation ? vkgpt::format("{:.4f}", *losses.validation) : "n/a",
           losses.average ? vkgpt::format(", of the average {:.4f}", *losses.average) : "",
           is_best ? ", the best so far" : "", seconds);
  if (losses.preference) {
    log_info("rewards of the evaluation: {}", preference_text(*losses.preference));
    add_preference(record, *losses.preference, "eval_");
  }
  log_.write(record);
}

void RunReporter::sample(std::uint64_t step, const std::string& text) {
  progress_.clear();
  log_info("sample at step {}:", step);
  log_text(text + "\n");
  log_.sample(static_cast<std::int64_t>(step), text);
  try {
    make_directories(directory_ / "samples");
    replace_file(directory_ / "samples" / vkgpt::format("step-{}.txt", step), text);
  } catch (const IoError& error) {
    if (!std::exchange(warned_of_samples_, true)) {
      log_warning("{}; training goes on without samples in files", error.what());
    }
  }
}

}  // namespace vkgpt::train
