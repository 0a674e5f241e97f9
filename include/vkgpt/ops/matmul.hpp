#pragma once

#include <optional>

#include "vkgpt/plan/plan_builder.hpp"

namespace vkgpt::ops {

/// Below, M is the product of all dimensions but the last of x and y; K is the width of x, N that of y.
/// Any sizes are good. Operands larger than one descriptor may cover are worked on in slices of rows.
/// Sums are fp32, in an order that depends on the device and the shape only.

struct LinearForward {
  plan::Tensor x;                         // (..., K)
  plan::Tensor weight;                    // (N, K)
  std::optional<plan::Tensor> bias = {};  // (N)
  plan::Tensor y;                         // (..., N), out
};

/// y = x W^T + bias.
void linear_forward(plan::PlanBuilder& builder, const LinearForward& args);

struct LinearGeluForward {
  plan::Tensor x;       // (..., K)
  plan::Tensor weight;  // (N, K)
  plan::Tensor bias;    // (N)
  plan::Tensor pre;     // (..., N), out: x W^T + bias, which the backward needs
  plan::Tensor y;       // (..., N), out: gelu(pre)
};

/// `linear_forward` and `activation_forward` in one pass.
void linear_gelu_forward(plan::PlanBuilder& builder, const LinearGeluForward& args);

struct LinearBackwardInput {
  plan::Tensor dy;      // (..., N)
  plan::Tensor weight;  // (N, K)
  plan::Tensor dx;      // (..., K), out
  /// (..., K): x was gelu(pre_gelu), and dx becomes the gradient of pre_gelu.
  std::optional<plan::Tensor> pre_gelu = {};
};

/// dx = dy W, times gelu'(pre_gelu) where that is given.
void linear_backward_input(plan::PlanBuilder& builder, const LinearBackwardInput& args);

struct LinearBackwardWeight {
  plan::Tensor dy;                         // (..., N)
  plan::Tensor x;                          // (..., K)
  plan::Tensor dweight;                    // (N, K), added to
  std::optional<plan::Tensor> dbias = {};  // (N), added to
};

/// dweight += dy^T x; dbias += the sums of dy's columns.
void linear_backward_weight(plan::PlanBuilder& builder, const LinearBackwardWeight& args);

}  // namespace vkgpt::ops
