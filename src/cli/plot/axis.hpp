#pragma once

#include <string>
#include <vector>

namespace vkgpt::cli {

/// A scale with marks at round values.
struct Axis {
  double low = 0;
  double high = 1;
  bool logarithmic = false;
  std::vector<double> ticks;

  /// Where `value` lies: 0 at `low`, 1 at `high`.
  double position(double value) const;
};

/// An axis that shows `low` to `high` with about `count` marks at 1, 2 or 5 times a power of ten, no less
/// than `least_step` apart. A range that is empty is widened.
Axis linear_axis(double low, double high, int count, double least_step = 0);

/// The same for positive values in powers of ten.
Axis log_axis(double low, double high);

/// The marks' labels: all with the same decimals, thousands as "20k", small ones as "2e-4".
std::vector<std::string> tick_labels(const Axis& axis);

}  // namespace vkgpt::cli
