#include "check/finite_difference.hpp"

#include <algorithm>
#include <cmath>

#include <gtest/gtest.h>

#include "vkgpt/core/check.hpp"
#include "vkgpt/core/format.hpp"

namespace vkgpt::check {

double weighted_sum(View upstream, View out) {
  VKGPT_CHECK(upstream.size() == out.size());
  double sum = 0.0;
  for (std::size_t i = 0; i < out.size(); ++i) sum += upstream[i] * out[i];
  return sum;
}

void expect_gradient(Vector& x, View gradient, const std::function<double()>& loss, std::size_t samples,
                     std::source_location where) {
  constexpr double kEps = 1e-6;
  constexpr double kRelative = 1e-3;
  constexpr double kAbsolute = 1e-7;  // round-off of the difference itself: about 1e-16 * |loss| / eps
  const int line = static_cast<int>(where.line());
  if (x.size() != gradient.size() || x.empty()) {
    ADD_FAILURE_AT(where.file_name(), line)
        << vkgpt::format("gradient has {} values for {}", gradient.size(), x.size());
    return;
  }
  const std::size_t checked = std::min(samples, x.size());
  for (std::size_t s = 0; s < checked; ++s) {
    const std::size_t i = s * x.size() / checked;
    const double saved = x[i];
    x[i] = saved + kEps;
    const double above = loss();
    x[i] = saved - kEps;
    const double below = loss();
    x[i] = saved;
    const double numeric = (above - below) / (2.0 * kEps);
    // Written so that a NaN on either side fails.
    if (!(std::abs(gradient[i] - numeric) <= kAbsolute + kRelative * std::abs(numeric))) {
      ADD_FAILURE_AT(where.file_name(), line)
          << vkgpt::format("gradient[{}] is {}, central difference {}", i, gradient[i], numeric);
      return;
    }
  }
}

}  // namespace vkgpt::check
