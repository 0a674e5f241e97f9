#pragma once

#include <optional>

#include "vkgpt/plan/plan_builder.hpp"

namespace vkgpt::ops {

/// A residual branch that is added before the norm.
struct NormResidual {
  plan::Tensor branch;  // (..., C), in
  plan::Tensor sum;     // (..., C), out: x + branch, the residual stream that goes on
};

struct NormForward {
  plan::Tensor x;       // (..., C)
  plan::Tensor weight;  // (C)
  plan::Tensor bias;    // (C)
  plan::Tensor y;       // (..., C), out
  plan::Tensor mean;    // (...) or (rows), out
  plan::Tensor rstd;    // (...) or (rows), out: 1 / sqrt(variance + eps)
  float eps = 1e-5F;
  std::optional<NormResidual> residual = {};
};

/// LayerNorm (Ba et al., arXiv:1607.06450) over rows of any C >= 1: y = (r - mean) * rstd * weight + bias
/// with r = x, or r = x + branch, which is stored in the same pass. The variance is the biased one.
void norm_forward(plan::PlanBuilder& builder, const NormForward& args);

struct NormBackward {
  plan::Tensor dy;       // (..., C)
  plan::Tensor x;        // (..., C), what was normalized: x, or the residual sum
  plan::Tensor weight;   // (C)
  plan::Tensor mean;     // (...) or (rows)
  plan::Tensor rstd;     // (...) or (rows)
  plan::Tensor dx;       // (..., C), out
  plan::Tensor dweight;  // (C), added to
  plan::Tensor dbias;    // (C), added to
  /// dx holds the gradient that reaches x past the norm (the residual stream's); the norm's is added to it.
  bool accumulate = false;
};

/// The gradients of `norm_forward`. dweight and dbias are summed in two stages in a fixed order.
void norm_backward(plan::PlanBuilder& builder, const NormBackward& args);

}  // namespace vkgpt::ops
