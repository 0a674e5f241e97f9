#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace vkgpt::train {

/// Which rank runs which micro-steps: wave by wave, each rank at most one in a wave.
struct MicroStepPlan {
  std::vector<std::vector<int>> waves;  // the ranks of each, ascending; micro-steps are numbered along them

  /// Of one rank, ascending.
  std::vector<std::int64_t> of(int rank) const;
  /// How many each of `ranks` ranks runs.
  std::vector<std::int64_t> counts(int ranks) const;
};

/// "even", "5,3": one number for each of `ranks`, or "auto", which begins even. Throws usage errors.
std::vector<double> parse_shares(const std::string& balance, int ranks);

/// `shares` by rank, in any unit; every rank gets at least one of `micro_steps`. Throws a usage error where
/// there are fewer micro-steps than ranks.
MicroStepPlan plan_micro_steps(std::int64_t micro_steps, std::span<const double> shares);
/// So many (at least one) for each rank.
MicroStepPlan plan_of_counts(std::span<const std::int64_t> counts);

/// As many micro-steps as in `counts`, divided between ranks that take so many seconds for one: the last to
/// end is as early as it can be. `counts` itself where that gains less than 3 %.
std::vector<std::int64_t> balanced_counts(std::span<const std::int64_t> counts,
                                          std::span<const double> seconds);

}  // namespace vkgpt::train
