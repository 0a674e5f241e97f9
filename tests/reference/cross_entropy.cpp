#include "reference/cross_entropy.hpp"

#include <algorithm>
#include <cmath>

#include "vkgpt/core/check.hpp"

namespace vkgpt::reference {
namespace {

double log_sum_exp(View values) {
  const double largest = *std::ranges::max_element(values);
  double sum = 0.0;
  for (const double value : values) sum += std::exp(value - largest);
  return largest + std::log(sum);
}

}  // namespace

CrossEntropy cross_entropy_forward(View logits, TokenView targets, std::size_t V, std::size_t Vp) {
  VKGPT_CHECK(0 < V && V <= Vp && logits.size() == targets.size() * Vp);
  CrossEntropy result{.losses = Vector(targets.size(), 0.0)};
  double total = 0.0;
  for (std::size_t n = 0; n < targets.size(); ++n) {
    if (targets[n] < 0) continue;
    const auto target = static_cast<std::size_t>(targets[n]);
    VKGPT_CHECK(target < V, "target {}", target);
    const View row = logits.subspan(n * Vp, V);
    result.losses[n] = log_sum_exp(row) - row[target];
    result.counted += 1;
    total += result.losses[n];
  }
  if (result.counted > 0) result.mean_loss = total / static_cast<double>(result.counted);
  return result;
}

Vector cross_entropy_backward(View logits, TokenView targets, std::size_t V, std::size_t Vp,
                              double grad_scale) {
  VKGPT_CHECK(0 < V && V <= Vp && logits.size() == targets.size() * Vp);
  Vector dlogits(logits.size(), 0.0);
  for (std::size_t n = 0; n < targets.size(); ++n) {
    if (targets[n] < 0) continue;
    const auto target = static_cast<std::size_t>(targets[n]);
    VKGPT_CHECK(target < V, "target {}", target);
    const View row = logits.subspan(n * Vp, V);
    const double lse = log_sum_exp(row);
    for (std::size_t v = 0; v < V; ++v) dlogits[n * Vp + v] = grad_scale * std::exp(row[v] - lse);
    dlogits[n * Vp + target] -= grad_scale;
  }
  return dlogits;
}

}  // namespace vkgpt::reference
