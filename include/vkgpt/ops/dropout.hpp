#pragma once

#include <cstdint>

namespace vkgpt::ops {

/// A place in the model where elements are dropped (Srivastava et al. 2014): each is zero with probability p,
/// else divided by 1 - p. The masks of a site follow from seed, site and StepParams.dropout_step alone, so
/// that a backward, a recomputation and a resumed run draw them again.
struct Dropout {
  double p = 0;            // 0 = none
  std::uint32_t site = 0;  // below 2^24, another one for every place
};

}  // namespace vkgpt::ops
