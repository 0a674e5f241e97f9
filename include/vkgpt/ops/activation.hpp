#pragma once

#include "vkgpt/plan/plan_builder.hpp"

namespace vkgpt::ops {

// Tensors of one call have one element type: f32, f16 or bf16. Arithmetic is fp32.

enum class Activation {
  kGelu,         // 0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))), GPT-2's (arXiv:1606.08415)
  kGeluErf,      // x Phi(x) = 0.5 x (1 + erf(x / sqrt(2))); Phi by a polynomial, wrong by at most 1.6e-7
  kReluSquared,  // max(x, 0)^2 (So et al., arXiv:2109.08668)
};

/// y = f(x); x and y have one shape. The matmul has `kGelu` as an epilogue.
void activation_forward(plan::PlanBuilder& builder, Activation kind, const plan::Tensor& x,
                        const plan::Tensor& y);

/// dx = dy * f'(x); all of one shape.
void activation_backward(plan::PlanBuilder& builder, Activation kind, const plan::Tensor& dy,
                         const plan::Tensor& x, const plan::Tensor& dx);

enum class Gate {
  kSilu,  // silu(g) = g / (1 + exp(-g)): SwiGLU
  kGelu,  // `Activation::kGelu`: GeGLU
};

/// y = gate(g) * up (Shazeer, arXiv:2002.05202) with x (..., 2F) = [g | up] and y (..., F).
void swiglu_forward(plan::PlanBuilder& builder, const plan::Tensor& x, const plan::Tensor& y,
                    Gate gate = Gate::kSilu);

/// dg = dy * up * gate'(g), dup = dy * gate(g); dy (..., F), x (..., 2F), dx (..., 2F) = [dg | dup].
void swiglu_backward(plan::PlanBuilder& builder, const plan::Tensor& dy, const plan::Tensor& x,
                     const plan::Tensor& dx, Gate gate = Gate::kSilu);

}  // namespace vkgpt::ops
