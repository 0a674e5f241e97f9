#pragma once

#include <optional>

#include "vkgpt/plan/plan_builder.hpp"

namespace vkgpt::ops {

enum class NormKind {
  kLayerNorm,  // (r - mean) * rstd * weight + bias (Ba et al., arXiv:1607.06450), biased variance
  kRmsNorm,    // r * rstd * weight (+ bias), rstd = 1 / sqrt(mean of r^2 + eps) (arXiv:1910.07467)
  kRmsNorm1p,  // the same with 1 + weight for weight (Gemma, arXiv:2403.08295)
};

/// A residual branch that is added before the norm.
struct NormResidual {
  plan::Tensor branch;  // (..., C), D, in
  plan::Tensor sum;     // (..., C), D, out: x + branch, the residual stream that goes on
};

/// Tensors marked D are of one type, f32, f16 or bf16; everything else and all arithmetic is f32.
struct NormForward {
  NormKind kind = NormKind::kLayerNorm;
  plan::Tensor x;                         // (..., C), D
  plan::Tensor weight;                    // (C)
  std::optional<plan::Tensor> bias = {};  // (C)
  plan::Tensor y;                         // (..., C), D, out
  std::optional<plan::Tensor> mean = {};  // (...) or (rows), out; of a LayerNorm only
  plan::Tensor rstd;                      // (...) or (rows), out: 1 / sqrt(variance + eps)
  float eps = 1e-5F;
  std::optional<NormResidual> residual = {};
};

/// A norm over rows of any C >= 1 of r = x, or of r = x + branch, rounded to D, which is stored in the same
/// pass.
void norm_forward(plan::PlanBuilder& builder, const NormForward& args);

struct NormBackward {
  NormKind kind = NormKind::kLayerNorm;
  plan::Tensor dy;                           // (..., C), D
  plan::Tensor x;                            // (..., C), D, what was normalized: x, or the residual sum
  plan::Tensor weight;                       // (C)
  std::optional<plan::Tensor> mean = {};     // (...) or (rows); of a LayerNorm only
  plan::Tensor rstd;                         // (...) or (rows)
  plan::Tensor dx;                           // (..., C), D, out
  std::optional<plan::Tensor> dweight = {};  // (C), added to or stored (see `adds_to`); not computed without
  std::optional<plan::Tensor> dbias = {};    // (C), likewise
  /// dx holds the gradient that reaches x past the norm (the residual stream's); the norm's is added to it.
  bool accumulate = false;
};

/// The gradients of `norm_forward`. dweight and dbias are summed in two stages in a fixed order.
void norm_backward(plan::PlanBuilder& builder, const NormBackward& args);

}  // namespace vkgpt::ops
