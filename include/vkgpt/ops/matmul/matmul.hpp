#pragma once

#include <optional>

#include "vkgpt/ops/matmul/matmul_key.hpp"
#include "vkgpt/ops/weight.hpp"
#include "vkgpt/plan/plan_builder.hpp"

namespace vkgpt::ops {

/// Below, M is the product of all dimensions but the last of x and y; K is the width of x, N that of y.
/// Any sizes are good. Operands larger than one descriptor may cover are worked on in slices of rows.
/// D is f32, f16 or bf16, one for all tensors of an op that are marked with it; the others are f32. 16-bit
/// types need the device's 16-bit storage. Sums are fp32, in an order that depends on the device and the
/// shape only, and are rounded to D once, after bias and GELU. Weights may be in blocks; x of f32 beside them
/// is rounded to f16 where `by_rows` is kMany and the device has matrix units.

struct LinearForward {
  plan::Tensor x;                         // (..., K) D
  Weight weight;                          // (N, K) D or blocks
  std::optional<plan::Tensor> bias = {};  // (N)
  plan::Tensor y;                         // (..., N) D, out; by few rows also f32
  bool accumulate = false;                // y += instead of y =
  ByRows by_rows = ByRows::kNo;
};

/// y = x W^T + bias, or y += that.
void linear_forward(plan::PlanBuilder& builder, const LinearForward& args);

struct LinearGeluForward {
  plan::Tensor x;                         // (..., K) D
  Weight weight;                          // (N, K) D or blocks
  std::optional<plan::Tensor> bias = {};  // (N)
  plan::Tensor pre;                       // (..., N) D, out: x W^T + bias, which the backward needs
  plan::Tensor y;                         // (..., N) D, out: gelu(pre), of pre as rounded to D
  ByRows by_rows = ByRows::kNo;
};

/// `linear_forward` and `activation_forward` in one pass.
void linear_gelu_forward(plan::PlanBuilder& builder, const LinearGeluForward& args);

struct LinearBackwardInput {
  plan::Tensor dy;  // (..., N) D
  Weight weight;    // (N, K) D or blocks
  plan::Tensor dx;  // (..., K) D, out
  /// (..., K) D: x was gelu(pre_gelu), and dx becomes the gradient of pre_gelu.
  std::optional<plan::Tensor> pre_gelu = {};
  bool accumulate = false;  // dx += instead of dx =
};

/// dx = dy W, times gelu'(pre_gelu) where that is given, or dx += that.
void linear_backward_input(plan::PlanBuilder& builder, const LinearBackwardInput& args);

struct LinearBackwardWeight {
  plan::Tensor dy;                         // (..., N) D
  plan::Tensor x;                          // (..., K) D
  plan::Tensor dweight;                    // (N, K), added to or stored, see `adds_to`
  std::optional<plan::Tensor> dbias = {};  // (N), likewise
};

/// dy^T x into dweight, the sums of dy's columns into dbias.
void linear_backward_weight(plan::PlanBuilder& builder, const LinearBackwardWeight& args);

}  // namespace vkgpt::ops
