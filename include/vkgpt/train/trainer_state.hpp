#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace vkgpt::train {

/// What a run needs, besides weights and optimizer moments, to go on bit for bit: `trainer_state.json`. Data
/// order and random numbers follow from seed and step, and the configuration is saved with the run.
struct TrainerState {
  /// Optimizer steps done.
  std::uint64_t step = 0;
  std::uint64_t seed = 0;
  /// Training tokens read so far.
  std::uint64_t tokens_seen = 0;
  /// Least validation loss so far, nats per token, and the step it was seen at.
  std::optional<double> best_val_loss;
  std::uint64_t best_step = 0;
  /// Sequences in a micro-step, which a run with an automatic batch size goes on with.
  std::int64_t batch_size = 1;
  /// SHA-256 of the training text or tokens (64 hexadecimal digits), so that a run is not resumed on other
  /// data.
  std::string data_sha256;
  /// The same of a base that --base_dtype holds, empty without one: adapters are not resumed on another.
  std::string base_sha256 = {};
  /// Micro-steps of each rank, where they follow measured speed.
  std::vector<std::int64_t> shares = {};
  /// Tokens kept for validation, by which the best loss was measured.
  std::optional<std::uint64_t> val_tokens = {};
  /// Steps that the optimizer had made before this run (--keep_optimizer): its moments are as old.
  std::uint64_t kept_steps = 0;

  friend bool operator==(const TrainerState&, const TrainerState&) = default;
};

std::string trainer_state_to_json(const TrainerState& state);

/// Throws `Error`, one line that begins with `where`, for missing, unknown or impossible values.
TrainerState trainer_state_from_json(std::string_view text, const std::string& where);

}  // namespace vkgpt::train
