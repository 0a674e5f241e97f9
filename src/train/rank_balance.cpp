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
namespace {

constexpr double kWorthMoving = 0.97;

}  // namespace

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

std::vector<std::int64_t> MicroStepPlan::counts(int ranks) const {
  std::vector<std::int64_t> counts(static_cast<std::size_t>(ranks), 0);
  for (const std::vector<int>& wave : waves) {
    for (const int rank : wave) ++counts[static_cast<std::size_t>(rank)];
  }
  return counts;
}

std::vector<double> parse_shares(const std::string& balance, int ranks) {
  if (balance == "even" || balance == "auto")
    return std::vector<double>(static_cast<std::size_t>(ranks), 1.0);
  std::vector<double> shares;
  for (const auto part : std::views::split(balance, ',')) {
    const std::string_view text(part);
    double share = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), share);
    if (error != std::errc() || end != text.data() + text.size() || !(share > 0) || !std::isfinite(share)) {
      fail_usage("--balance '{}': even, auto, or positive numbers such as 5,3", printable(balance));
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
  return plan_of_counts(counts);
}

MicroStepPlan plan_of_counts(std::span<const std::int64_t> counts) {
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

std::vector<std::int64_t> balanced_counts(std::span<const std::int64_t> counts,
                                          std::span<const double> seconds) {
  const bool measured = std::ranges::all_of(seconds, [](double one) { return one > 0; });
  if (!measured) return {counts.begin(), counts.end()};
  const auto time = [&](std::span<const std::int64_t> of) {
    double longest = 0;
    for (std::size_t i = 0; i < of.size(); ++i) {
      longest = std::max(longest, static_cast<double>(of[i]) * seconds[i]);
    }
    return longest;
  };
  std::vector<std::int64_t> better(counts.size(), 1);
  const std::int64_t total = std::accumulate(counts.begin(), counts.end(), std::int64_t{0});
  for (std::int64_t left = total - std::ssize(counts); left > 0; --left) {
    std::size_t next = 0;
    for (std::size_t rank = 1; rank < better.size(); ++rank) {
      const auto end = [&](std::size_t of) { return static_cast<double>(better[of] + 1) * seconds[of]; };
      if (end(rank) < end(next)) next = rank;
    }
    ++better[next];
  }
  const bool gains = time(better) < kWorthMoving * time(counts);
  return gains ? better : std::vector<std::int64_t>(counts.begin(), counts.end());
}

}  // namespace vkgpt::train
