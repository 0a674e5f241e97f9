#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "cli/sweep/sweep_config.hpp"

namespace vkgpt::cli {

enum class SweepState { kWaiting, kRunning, kInterrupted, kFailed, kDone };

/// What is known of one run of a sweep.
struct SweepResult {
  SweepRun run;
  SweepState state = SweepState::kWaiting;
  std::optional<double> val_loss = {};    // the best of the run, nats per token
  std::optional<double> train_loss = {};  // of the last step
  std::int64_t steps = 0;
  double tokens_per_second = 0;
  double seconds = 0;
  std::string error = {};  // why it failed

  /// Takes over what `vkgpt train --json` printed. Throws `Error`, which names `where`, for anything else.
  void read_summary(std::string_view json, const std::string& where);
};

/// Finished runs first, the least validation loss first among them (the training loss where there is none),
/// then the others in their order.
std::vector<SweepResult> ranked(std::span<const SweepResult> results);

/// Aligned columns for a terminal, a line a run, in the order given.
std::string sweep_table(std::span<const SweepResult> results);
/// The same with commas between, for programs.
std::string sweep_csv(std::span<const SweepResult> results);
nlohmann::ordered_json sweep_json(std::span<const SweepResult> results);

}  // namespace vkgpt::cli
