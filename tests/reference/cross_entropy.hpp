#pragma once

#include "reference/embedding.hpp"

namespace vkgpt::reference {

struct CrossEntropy {
  Vector losses;            // (N), nats; 0 for ignored rows
  std::size_t counted = 0;  // rows whose target is not negative
  double mean_loss = 0.0;   // over the counted rows, 0 if there are none
};
/// -log softmax(logits[0..V))[target] by row; logits (N, Vp), columns V.. are padding and take no part. Rows
/// with a negative target are ignored.
CrossEntropy cross_entropy_forward(View logits, TokenView targets, std::size_t V, std::size_t Vp);

/// dlogits (N, Vp) = grad_scale * (softmax - onehot); 0 in padded columns and ignored rows. The gradient of
/// the mean loss has grad_scale = 1 / counted.
Vector cross_entropy_backward(View logits, TokenView targets, std::size_t V, std::size_t Vp,
                              double grad_scale);

}  // namespace vkgpt::reference
