#include "cli/plot/axis.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>

#include "vkgpt/core/format.hpp"

namespace vkgpt::cli {
namespace {

/// The nearest of 1, 2, 5 times a power of ten at or above `raw`.
double round_step(double raw) {
  const double power = std::pow(10, std::floor(std::log10(raw)));
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (raw <= factor * power * (1 + 1e-9)) return factor * power;
  }
  return 10 * power;
}

/// "2e-4", "1.5e6".
std::string scientific(double value) {
  int exponent = static_cast<int>(std::floor(std::log10(std::abs(value)) + 1e-9));
  double mantissa = value / std::pow(10, exponent);
  if (std::abs(mantissa) >= 9.9995) {
    mantissa /= 10;
    ++exponent;
  }
  return vkgpt::format("{:.4g}e{}", mantissa, exponent);
}

}  // namespace

double Axis::position(double value) const {
  if (logarithmic) return std::log(value / low) / std::log(high / low);
  return (value - low) / (high - low);
}

Axis linear_axis(double low, double high, int count, double least_step) {
  if (!(high > low)) {
    const double margin = low == 0 ? 1 : 0.1 * std::abs(low);
    low -= margin;
    high += margin;
  }
  Axis axis{.low = low, .high = high, .logarithmic = false, .ticks = {}};
  const double step = std::max(least_step, round_step((high - low) / count));
  const auto first = static_cast<long long>(std::ceil(low / step - 1e-6));
  const auto last = static_cast<long long>(std::floor(high / step + 1e-6));
  for (long long i = first; i <= last; ++i) axis.ticks.push_back(static_cast<double>(i) * step);
  return axis;
}

Axis log_axis(double low, double high) {
  if (!(high > low)) {
    low /= 2;
    high *= 2;
  }
  Axis axis{.low = low, .high = high, .logarithmic = true, .ticks = {}};
  const int first = static_cast<int>(std::floor(std::log10(low)));
  const int last = static_cast<int>(std::ceil(std::log10(high)));
  const bool wide = last - first > 3;
  for (int exponent = first; exponent <= last; ++exponent) {
    for (const double factor : {1.0, 2.0, 5.0}) {
      const double tick = factor * std::pow(10, exponent);
      if (wide && factor != 1) continue;
      if (tick >= low * (1 - 1e-9) && tick <= high * (1 + 1e-9)) axis.ticks.push_back(tick);
    }
  }
  return axis;
}

std::vector<std::string> tick_labels(const Axis& axis) {
  double largest = 0;
  double step = axis.high - axis.low;
  for (std::size_t i = 0; i < axis.ticks.size(); ++i) {
    largest = std::max(largest, std::abs(axis.ticks[i]));
    if (i > 0) step = std::min(step, axis.ticks[i] - axis.ticks[i - 1]);
  }
  const int decimals = std::max(0, static_cast<int>(-std::floor(std::log10(step) + 1e-9)));
  std::vector<std::string> labels;
  for (const double tick : axis.ticks) {
    if (std::abs(tick) < step * 1e-6) {
      labels.emplace_back("0");
    } else if (largest < 0.0095 || largest >= 1e6) {
      labels.push_back(scientific(tick));
    } else if (axis.logarithmic) {
      labels.push_back(vkgpt::format("{:g}", tick));
    } else if (largest >= 1e4 && step >= 100) {
      labels.push_back(vkgpt::format("{:g}k", tick / 1000));
    } else {
      labels.push_back(vkgpt::format("{:.{}f}", tick, decimals));
    }
  }
  return labels;
}

}  // namespace vkgpt::cli
