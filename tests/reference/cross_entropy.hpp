#pragma once

#include "reference/embedding.hpp"

namespace vkgpt::reference {

/// What a training loss adds to the plain cross-entropy.
struct LossShaping {
  double softcap = 0.0;          // logits become cap * tanh(logits / cap) first; 0 = none
  double label_smoothing = 0.0;  // torch's: (1 - s) * loss + s * mean over v of -log softmax(logits)[v]
  double z_loss = 0.0;           // adds z_loss * lse^2 (PaLM, arXiv:2204.02311)
};

struct CrossEntropy {
  Vector losses;            // (N), nats; 0 for ignored rows
  std::size_t counted = 0;  // rows whose target is not negative
  double mean_loss = 0.0;   // over the counted rows, 0 if there are none
};
/// -log softmax(logits[0..V))[target] by row, shaped by `shaping`; logits (N, Vp), columns V.. are padding
/// and take no part. Rows with a negative target are ignored.
CrossEntropy cross_entropy_forward(View logits, TokenView targets, std::size_t V, std::size_t Vp,
                                   const LossShaping& shaping = {});

/// dlogits (N, Vp): grad_scale times the gradient of every row's loss, without shaping softmax - onehot; 0 in
/// padded columns and ignored rows. The gradient of the mean loss has grad_scale = 1 / counted.
Vector cross_entropy_backward(View logits, TokenView targets, std::size_t V, std::size_t Vp,
                              double grad_scale, const LossShaping& shaping = {});

}  // namespace vkgpt::reference
