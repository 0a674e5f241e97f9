#pragma once

#include <source_location>
#include <span>

#include "vkgpt/check/numbers.hpp"

namespace vkgpt::check {

/// Fails the running GoogleTest test, naming the worst element, unless both have one size above 0, every
/// value is finite (tested by its bits) and nmse <= `nmse_bound`. Returns whether it passed.
bool expect_close(std::span<const float> actual, std::span<const double> expected,
                  double nmse_bound = kFp32Nmse,
                  std::source_location where = std::source_location::current());

}  // namespace vkgpt::check
