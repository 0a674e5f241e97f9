#include "vkgpt/train/skipped_steps.hpp"

#include "vkgpt/core/error.hpp"
#include "vkgpt/core/format.hpp"

namespace vkgpt::train {

void SkippedSteps::count(const StepOutcome& outcome, std::optional<std::int64_t> saved_step) {
  in_a_row_ = outcome.results.skipped != 0 ? in_a_row_ + 1 : 0;
  if (!are_too_many()) return;
  fail(
      "{} steps in a row had a gradient or a loss that is not finite, up to step {}: {} with a lower "
      "--learning_rate, or clip gradients (--grad_clip 1)",
      kMost, outcome.step + 1,
      saved_step ? vkgpt::format("--resume, which goes on from step {},", *saved_step) : "start again");
}

}  // namespace vkgpt::train
