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

/// Lion (Chen et al., arXiv:2302.06675): w -= lr (sign(beta1 m + (1 - beta1) g) + weight_decay w), then
/// m = beta2 m + (1 - beta2) g; sign(0) = 0.
struct Lion {
  double learning_rate = 1e-4;
  double beta1 = 0.9;
  double beta2 = 0.99;
  double weight_decay = 0.0;
};
void lion_step(std::span<double> weights, View gradient, std::span<double> m, const Lion& config,
               double grad_scale = 1.0);

/// ema = d ema + (1 - d) weights with d = min(decay, (1 + step) / (10 + step)); `step` counts from 0.
void ema_step(std::span<double> ema, View weights, std::int64_t step, double decay);

}  // namespace vkgpt::reference
