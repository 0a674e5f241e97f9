#pragma once

#include <optional>
#include <string_view>

#include "vkgpt/plan/plan_builder.hpp"

#include "model/param_tensors.hpp"

namespace vkgpt::model {

/// Activations that the forward of a linear layer leaves for its backward.
struct LinearActivations {
  plan::Tensor x;                                // (..., in)
  plan::Tensor y;                                // (..., out)
  std::optional<plan::Tensor> lora_hidden = {};  // (..., r): alpha / r * x A^T
};

/// y = x W^T + b, and with an adapter + alpha / r * (x A^T) B^T (Hu et al., arXiv:2106.09685). `by_rows` is
/// that of `ops::LinearForward`.
LinearActivations linear_forward(plan::PlanBuilder& builder, const LinearTensors& params,
                                 const plan::Tensor& x, std::string_view name, double lora_scale,
                                 bool by_rows = false);

/// dx = dy W (and the adapter's part), or dx += ; the gradients present in `dparams` are added to.
void linear_backward(plan::PlanBuilder& builder, const LinearTensors& params, const LinearTensors& dparams,
                     const LinearActivations& saved, const plan::Tensor& dy, const plan::Tensor& dx,
                     double lora_scale, bool accumulate = false);

/// Only the gradients of weight and bias, of a layer without adapter.
void linear_backward_params(plan::PlanBuilder& builder, const LinearTensors& params,
                            const LinearTensors& dparams, const plan::Tensor& x, const plan::Tensor& dy);

/// The shape of `t` with another last dimension.
Shape with_width(const plan::Tensor& t, std::int64_t width);

}  // namespace vkgpt::model
