#pragma once

#include <cstdint>

#include "reference/attention.hpp"

namespace vkgpt::reference {

/// What names the masks of a place in the model (see ops/dropout.hpp).
struct DropoutStream {
  std::uint64_t seed = 0;
  std::uint32_t site = 0;
  std::uint32_t step = 0;
};

/// mask * x / (1 - p) (Srivastava et al. 2014): element i is kept when word i % 4 of block i / 4 of the
/// stream, as a uniform number, is at least p.
Vector dropout_forward(View x, double p, const DropoutStream& stream);

/// The masks of attention's probabilities: `key` of row is kept by word key % 4 of block key / 4 of the
/// row's own stream.
ProbabilityMask probability_mask(double p, const DropoutStream& stream);

}  // namespace vkgpt::reference
