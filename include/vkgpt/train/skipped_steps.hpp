#pragma once

#include <cstdint>
#include <optional>

#include "vkgpt/train/step_runner.hpp"

namespace vkgpt::train {

/// Steps in a row whose update was left out, as their loss or gradients were not finite.
class SkippedSteps {
 public:
  static constexpr std::int64_t kMost = 100;

  /// Throws `Error` at the last of `kMost` of them, which tells to go on from `saved_step`, the newest
  /// checkpoint's, where there is one.
  void count(const StepOutcome& outcome, std::optional<std::int64_t> saved_step);

  bool any() const { return in_a_row_ > 0; }
  bool are_too_many() const { return in_a_row_ >= kMost; }

 private:
  std::int64_t in_a_row_ = 0;
};

}  // namespace vkgpt::train
