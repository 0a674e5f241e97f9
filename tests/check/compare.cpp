#include "check/compare.hpp"

#include <cmath>

#include <gtest/gtest.h>

#include "vkgpt/core/format.hpp"

namespace vkgpt::check {

bool expect_close(std::span<const float> actual, std::span<const double> expected, double nmse_bound,
                  std::source_location where) {
  const int line = static_cast<int>(where.line());
  if (actual.size() != expected.size() || actual.empty()) {
    ADD_FAILURE_AT(where.file_name(), line)
        << vkgpt::format("{} values, expected {}", actual.size(), expected.size());
    return false;
  }
  std::size_t worst = 0;
  double worst_difference = 0.0;
  for (std::size_t i = 0; i < actual.size(); ++i) {
    if (!is_finite(actual[i]) || !is_finite(expected[i])) {
      ADD_FAILURE_AT(where.file_name(), line) << vkgpt::format(
          "element {} of {} is {}, expected {}: not finite", i, actual.size(), actual[i], expected[i]);
      return false;
    }
    const double difference = std::abs(static_cast<double>(actual[i]) - expected[i]);
    if (difference > worst_difference) {
      worst_difference = difference;
      worst = i;
    }
  }
  const double error = nmse(actual, expected);
  if (error <= nmse_bound) return true;
  ADD_FAILURE_AT(where.file_name(), line)
      << vkgpt::format("nmse {:.3g} exceeds {:.3g}; worst is element {} of {}: {} instead of {}", error,
                       nmse_bound, worst, actual.size(), actual[worst], expected[worst]);
  return false;
}

}  // namespace vkgpt::check
