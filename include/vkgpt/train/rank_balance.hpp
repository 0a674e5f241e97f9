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
};

/// "even", or "5,3": one number for each of `ranks`. Throws usage errors.
std::vector<double> parse_shares(const std::string& balance, int ranks);

/// `shares` by rank, in any unit; every rank gets at least one of `micro_steps`. Throws a usage error where
/// there are fewer micro-steps than ranks.
MicroStepPlan plan_micro_steps(std::int64_t micro_steps, std::span<const double> shares);

}  // namespace vkgpt::train
