#pragma once

#include <cstdint>
#include <span>

#include "vkgpt/plan/plan_builder.hpp"

namespace vkgpt::ops {

/// Constants of a run; the learning rate is in StepParams.
struct Muon {
  double momentum = 0.95;
  double weight_decay = 0.1;
  std::int64_t steps = 5;  // of Newton and Schulz: 5 or 3
};

/// A matrix (rows, cols) in the arenas, at any element.
struct MuonMatrix {
  std::int64_t offset = 0;
  std::int64_t rows = 0;
  std::int64_t cols = 0;
};

struct OptimizerMuon {
  plan::Tensor weights;                  // (N), in and out
  plan::Tensor gradients;                // (N), before clipping
  plan::Tensor momentum;                 // (N), in and out, zeros at first
  plan::Tensor norm;                     // see `global_norm`: clip scale and skip flag
  std::span<const MuonMatrix> matrices;  // what of the arenas is Muon's
};

/// One step of Muon (Jordan et al. 2024, kellerjordan.github.io/posts/muon) for each of `matrices`, as
/// torch.optim.Muon does it with adjust_lr_fn = "match_rms_adamw" (arXiv:2502.16982), but all in fp32:
///   b = mu b + (1 - mu) g,  u = mu b + (1 - mu) g (Nesterov),  X = u / max(|u|, 1e-7)
///   `steps` times: A = X X^T,  X = a X + b A X + c A^2 X
///   w -= lr * (0.2 sqrt(max(rows, cols)) X + weight_decay w)
/// Five steps take (a, b, c) = (3.4445, -4.7750, 2.0315); three the first of the sequence that is optimal for
/// few steps (Polar Express, arXiv:2505.16932), at 0.6 of the work. When the skip flag is set, weights and
/// momentum keep every bit; so does what is in no matrix. Transient memory: two copies of a matrix and two
/// squares of its smaller side, for a few matrices at once.
void optimizer_muon(plan::PlanBuilder& builder, const OptimizerMuon& args, const Muon& constants);

}  // namespace vkgpt::ops
