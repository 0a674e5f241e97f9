#include "vkgpt/train/rank_balance.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numeric>
#include <ranges>
#include <string_view>
#include <system_error>

#include "vkgpt/core/error.hpp"
#include "vkgpt/core/utf8.hpp"

namespace vkgpt::train {

std::vector<std::int64_t> MicroStepPlan::of(int rank) const {
  std::vector<std::int64_t> mine;
  std::int64_t number = 0;
  for (const std::vector<int>& wave : waves) {
    for (const int contributor : wave) {
      if (contributor == rank) mine.push_back(number);
      ++number;
    }
  }
  return mine;
}

std::vector<double> parse_shares(const std::string& balance, int ranks) {
  if (balance == "even") return std::vector<double>(static_cast<std::size_t>(ranks), 1.0);
  std::vector<double> shares;
  for (const auto part : std::views::split(balance, ',')) {
    const std::string_view text(part);
    double share = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), share);
    if (error != std::errc() || end != text.data() + text.size() || !(share > 0) || !std::isfinite(share)) {
      fail_usage("--balance '{}': even, or positive numbers such as 5,3", printable(balance));
    }
    shares.push_back(share);
  }
  if (std::ssize(shares) != ranks) {
    fail_usage("--balance {}: {} shares for {} ranks", balance, shares.size(), ranks);
  }
  return shares;
}

MicroStepPlan plan_micro_steps(std::int64_t micro_steps, std::span<const double> shares) {
  const auto size = static_cast<std::int64_t>(shares.size());
  if (micro_steps < size) {
    fail_usage(
        "--grad_accum_steps {} counts the micro-steps of all {} ranks, and each takes at least one: give {} "
        "or "
        "a multiple",
        micro_steps, size, size);
  }
  const double total = std::accumulate(shares.begin(), shares.end(), 0.0);
  std::vector<std::int64_t> counts(shares.size(), 1);
  for (std::int64_t left = micro_steps - size; left > 0; --left) {
    // The rank that is furthest behind its share.
    std::size_t next = 0;
    double lag = -HUGE_VAL;
    for (std::size_t rank = 0; rank < counts.size(); ++rank) {
      const double wanted = shares[rank] / total * static_cast<double>(micro_steps);
      if (wanted - static_cast<double>(counts[rank]) > lag + 1e-9) {
        lag = wanted - static_cast<double>(counts[rank]);
        next = rank;
      }
    }
    ++counts[next];
  }
  MicroStepPlan plan;
  const std::int64_t waves = *std::ranges::max_element(counts);
  for (std::int64_t wave = 0; wave < waves; ++wave) {
    std::vector<int>& ranks = plan.waves.emplace_back();
    for (std::size_t rank = 0; rank < counts.size(); ++rank) {
      const bool takes_part = (wave + 1) * counts[rank] / waves > wave * counts[rank] / waves;
      if (takes_part) ranks.push_back(static_cast<int>(rank));
    }
  }
  return plan;
}

}  // namespace vkgpt::train
