#pragma once

#include <cstdint>

#include "vkgpt/plan/plan_builder.hpp"

namespace vkgpt::ops {

/// A place in the model where elements are dropped (Srivastava et al. 2014): each is zero with probability p,
/// else divided by 1 - p. The masks of a site follow from seed, site and StepParams.dropout_step alone, so
/// that a backward, a recomputation and a resumed run draw them again.
struct Dropout {
  double p = 0;            // 0 = none
  std::uint32_t site = 0;  // below 2^24, another one for every place
};

/// y = mask * x / (1 - p), which is its own backward: dx = dropout(dy). x and y have as many elements, each
/// in f32, f16 or bf16. Element i is kept when uniform_float(word i % 4 of block i / 4) >= p in the stream
/// {seed, RngPurpose::kDropout, site, StepParams.dropout_step} (core/rng.hpp).
void dropout(plan::PlanBuilder& builder, const plan::Tensor& x, const plan::Tensor& y,
             const Dropout& dropout);

}  // namespace vkgpt::ops
