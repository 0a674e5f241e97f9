#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "vkgpt/train/step_runner.hpp"

namespace vkgpt::test {

/// Ways of running a step that must give the same bits.
enum class How { kReplay, kEager, kStats, kReRecord };

/// What a run leaves.
struct RunOutcome {
  std::vector<float> losses;
  std::vector<float> norms;
  std::vector<float> skipped;
  std::vector<float> params;  // (arena)

  friend bool operator==(const RunOutcome&, const RunOutcome&) = default;
};

/// 2 blocks of 32 wide over 17 tokens of a vocabulary of 29.
model::GptConfig small_model();
/// Batches of 3 at a learning rate of 3e-3.
train::TrainConfig small_training();

/// A step runner on random tokens on the shared device, with weights of seed 1 and poisoned arenas.
class TrainRun {
 public:
  explicit TrainRun(
      const model::GptConfig& model, const train::TrainConfig& config,
      std::function<bool()> keep_going = [] { return true; },
      double submit_budget_ns = plan::Executor::kSubmitBudgetNs);

  train::StepRunner& runner() { return runner_; }

  bool step(std::int64_t index, How how);
  /// Steps [first, last).
  void steps(std::int64_t first, std::int64_t last, How how = How::kReplay);
  /// Waits; hands out what was not yet handed out.
  RunOutcome finish();
  std::vector<float> download(const char* arena, std::int64_t elements);

 private:
  double learning_rate_;
  std::vector<std::int32_t> tokens_;
  train::DataLoader loader_;
  train::StepRunner runner_;
};

/// The outcome of `steps` steps from the start.
RunOutcome run_steps(const model::GptConfig& model, const train::TrainConfig& config, How how,
                     std::int64_t steps);

}  // namespace vkgpt::test
