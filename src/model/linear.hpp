#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "vkgpt/ops/matmul/matmul_key.hpp"
#include "vkgpt/plan/plan_builder.hpp"

#include "model/param_tensors.hpp"

namespace vkgpt::model {

/// How adapters take part: their sum is scaled, and elements of what they read may be dropped (site `site`).
struct Lora {
  double scale = 0;
  double dropout = 0;
  std::uint32_t site = 0;
  std::optional<plan::Tensor> adapters =
      {};  // (rows) i32: of those to choose from the one of each row; -1: none

  /// Those of the linear layer number `layer` of a block.
  Lora of(std::uint32_t layer) const { return {scale, dropout, site + layer, adapters}; }
};
/// Sites of a block: c_attn, attn.c_proj, c_fc, mlp.c_proj.
inline constexpr std::uint32_t kLoraSites = 4;

/// Activations that the forward of a linear layer leaves for its backward.
struct LinearActivations {
  plan::Tensor x;                                // (..., in)
  plan::Tensor y;                                // (..., out)
  std::optional<plan::Tensor> lora_hidden = {};  // (..., r): alpha / r * x A^T
};

/// y = x W^T + b, and with an adapter + scale * (dropout(x) A^T) B^T (Hu et al., arXiv:2106.09685); where
/// there are adapters to choose from, each row has its own. `by_rows` is that of `ops::LinearForward`.
LinearActivations linear_forward(plan::PlanBuilder& builder, const LinearTensors& params,
                                 const plan::Tensor& x, std::string_view name, const Lora& lora,
                                 ops::ByRows by_rows = ops::ByRows::kNo);

/// dx = dy W (and the adapter's part), or dx += ; the gradients present in `dparams` are summed.
void linear_backward(plan::PlanBuilder& builder, const LinearTensors& params, const LinearTensors& dparams,
                     const LinearActivations& saved, const plan::Tensor& dy, const plan::Tensor& dx,
                     const Lora& lora, bool accumulate = false);

/// Only the gradients of weight and bias, of a layer without adapter.
void linear_backward_params(plan::PlanBuilder& builder, const LinearTensors& params,
                            const LinearTensors& dparams, const plan::Tensor& x, const plan::Tensor& dy);

/// The shape of `t` with another last dimension.
Shape with_width(const plan::Tensor& t, std::int64_t width);

}  // namespace vkgpt::model
