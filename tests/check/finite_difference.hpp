#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <source_location>
#include <vector>

#include "vkgpt/check/definitions.hpp"

namespace vkgpt::check {

/// sum of upstream * out: the scalar whose gradient with respect to an op's input is its backward of
/// `upstream`.
double weighted_sum(View upstream, View out);

/// Checks `gradient` against central differences (eps 1e-6, rtol 1e-3) of `loss` in every element of `x`, or
/// in `samples` elements spread over it if that is fewer. `loss` reads `x` by reference; `x` is left as it
/// was. Fails the running GoogleTest test at the first wrong element.
void expect_gradient(Vector& x, View gradient, const std::function<double()>& loss,
                     std::size_t samples = SIZE_MAX,
                     std::source_location where = std::source_location::current());

}  // namespace vkgpt::check
