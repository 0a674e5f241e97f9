#pragma once

#include <cstdint>

#include "reference/matmul.hpp"

namespace vkgpt::reference {

struct Muon {
  double learning_rate = 1e-3;
  double momentum = 0.95;
  double weight_decay = 0.0;
};

/// Five Newton-Schulz steps towards the nearest orthogonal matrix of g (rows, cols), first divided by its
/// Frobenius norm: X = a X + b (X X^T) X + c (X X^T)^2 X; tall matrices are worked on transposed.
Vector newton_schulz(View g, std::int64_t rows, std::int64_t cols);

/// One update of the matrix `weights` (rows, cols) in place as torch.optim.Muon with nesterov and
/// adjust_lr_fn = "match_rms_adamw" does it, without its bfloat16.
void muon_step(std::span<double> weights, View gradient, std::span<double> momentum, std::int64_t rows,
               std::int64_t cols, const Muon& config, double grad_scale = 1.0);

}  // namespace vkgpt::reference
