#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "vkgpt/check/numbers.hpp"
#include "vkgpt/ops/step_params.hpp"

/// Double-precision definitions of the update of parameters.
namespace vkgpt::check {

/// sqrt of the sum of squares over all the tensors.
double global_norm(std::span<const View> gradients);
double global_norm(View gradient);

/// min(1, clip / (norm + 1e-6)) as in torch.nn.utils.clip_grad_norm_; 1 if clip <= 0.
double clip_scale(double norm, double clip);

/// The host's part of optimizer step `step`, from 1.
ops::StepParams step_params_at(std::int64_t step, double learning_rate, double beta1 = 0.9,
                               double beta2 = 0.95);
/// What `ops::global_norm` leaves for an optimizer: floats with the bits of its words.
std::vector<float> norm_state(float clip_scale, bool is_skipped = false);

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

struct Muon {
  double learning_rate = 1e-3;
  double momentum = 0.95;
  double weight_decay = 0.0;
  int steps = 5;  // or 3
};

/// Newton-Schulz steps (five of Jordan's or three of Polar Express) towards the nearest orthogonal matrix of
/// g (rows, cols), first divided by its Frobenius norm: X = a X + b (X X^T) X + c (X X^T)^2 X; tall matrices
/// are worked on transposed.
Vector newton_schulz(View g, std::int64_t rows, std::int64_t cols, int steps = 5);

/// One update of the matrix `weights` (rows, cols) in place as torch.optim.Muon with nesterov and
/// adjust_lr_fn = "match_rms_adamw" does it, without its bfloat16.
void muon_step(std::span<double> weights, View gradient, std::span<double> momentum, std::int64_t rows,
               std::int64_t cols, const Muon& config, double grad_scale = 1.0);

/// A moment of a tensor in 8 bits: the codes of the values nearest to moment / scale, and for each 256
/// elements their scale, the largest magnitude (Dettmers et al., arXiv:2110.02861).
struct QuantizedMoment {
  explicit QuantizedMoment(std::size_t elements);

  std::vector<std::uint8_t> codes;
  Vector scales;
};

/// The 256 values of a code, ascending: 0, 1 and the middles of 2^d equal cells (2^(d+1) unsigned) between a
/// tenth and the whole of 10^(d-6), for d = 0 to 6, with either sign if signed.
Vector dynamic_values(bool is_signed);

/// moment = value of the code * scale.
Vector dequantize(const QuantizedMoment& moment, bool is_signed);
/// A positive value of an unsigned moment gets the code of a positive value.
QuantizedMoment quantize(View values, bool is_signed);

/// `adamw_step` with moments that are rounded after they have moved the weights.
void adamw8_step(std::span<double> weights, View gradient, QuantizedMoment& m, QuantizedMoment& v,
                 std::int64_t step, const AdamW& config, double grad_scale = 1.0);

}  // namespace vkgpt::check
