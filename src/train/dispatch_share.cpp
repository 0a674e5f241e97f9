#include "train/dispatch_share.hpp"

#include <algorithm>
#include <map>
#include <string>
#include <string_view>

namespace vkgpt::train {
namespace {

constexpr double kLeastPart = 0x1p-30;  // of the share at first

/// Nanoseconds of a kernel's dispatch for each unit of its work.
using Rates = std::map<std::string, double, std::less<>>;

double work_of(const plan::Cost& cost) {
  return static_cast<double>(std::max({cost.flops, cost.bytes / 4, std::int64_t{1}}));
}

/// Of the kernels with a dispatch of an eighth of the budget or more: a longer context may bring them over
/// it, and the time of a short dispatch says little of a long one.
Rates rates_of(std::span<const plan::DispatchTime> times, double budget_ns) {
  Rates rates;
  for (const plan::DispatchTime& time : times) {
    if (time.nanoseconds < budget_ns / 8) continue;
    double& rate = rates[time.stem];
    rate = std::max(rate, time.nanoseconds / work_of(time.cost));
  }
  return rates;
}

/// By how much the longest dispatches of the kernels exceed the budget, all together.
double excess_ns(const plan::Plan& plan, const Rates& rates, double budget_ns) {
  std::map<std::string_view, double> longest;
  for (const plan::Segment& segment : plan.segments) {
    for (const plan::Dispatch& dispatch : segment.dispatches) {
      const auto found = rates.find(dispatch.kernel.stem);
      if (found == rates.end()) continue;
      double& ns = longest[found->first];
      ns = std::max(ns, found->second * work_of(dispatch.cost));
    }
  }
  double excess = 0;
  for (const auto& [stem, ns] : longest) excess += std::max(0.0, ns - budget_ns);
  return excess;
}

}  // namespace

double share_within(std::span<const plan::DispatchTime> times, double budget_ns, double share,
                    const std::function<plan::Plan(double)>& plan_of) {
  const Rates rates = rates_of(times, budget_ns);
  if (rates.empty()) return share;
  double best = share;
  double least = excess_ns(plan_of(share), rates, budget_ns);
  for (double part = 0.5; least > 0 && part >= kLeastPart; part /= 2) {
    const double excess = excess_ns(plan_of(share * part), rates, budget_ns);
    if (excess >= least) continue;
    best = share * part;
    least = excess;
  }
  return best;
}

}  // namespace vkgpt::train
