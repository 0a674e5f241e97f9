#pragma once

#include <cstdint>

#include "reference/matmul.hpp"

namespace vkgpt::reference {

/// sqrt of the sum of squares over all the tensors.
double global_norm(std::span<const View> gradients);
double global_norm(View gradient);

/// min(1, clip / (norm + 1e-6)) as in torch.nn.utils.clip_grad_norm_; 1 if clip <= 0.
double clip_scale(double norm, double clip);

struct AdamW {
  double learning_rate = 1e-3;
  double beta1 = 0.9;
  double beta2 = 0.95;
  double eps = 1e-8;
  double weight_decay = 0.0;  // 0 for tensors of rank < 2
};
/// One decoupled AdamW update (arXiv:1711.05101) in place. `step` counts from 1; all spans have the weights'
/// shape. `grad_scale` multiplies the gradient first: the clip factor.
void adamw_step(std::span<double> weights, View gradient, std::span<double> m, std::span<double> v,
                std::int64_t step, const AdamW& config, double grad_scale = 1.0);

}  // namespace vkgpt::reference
