#include "reference/cross_entropy.hpp"

#include <algorithm>
#include <cmath>

#include "vkgpt/core/check.hpp"

#include "reference/softcap.hpp"

namespace vkgpt::reference {
namespace {

double log_sum_exp(View values) {
  const double largest = *std::ranges::max_element(values);
  double sum = 0.0;
  for (const double value : values) sum += std::exp(value - largest);
  return largest + std::log(sum);
}

double mean(View values) {
  double sum = 0.0;
  for (const double value : values) sum += value;
  return sum / static_cast<double>(values.size());
}

}  // namespace

CrossEntropy cross_entropy_forward(View logits, TokenView targets, std::size_t V, std::size_t Vp,
                                   const LossShaping& shaping) {
  VKGPT_CHECK(0 < V && V <= Vp && logits.size() == targets.size() * Vp);
  CrossEntropy result{.losses = Vector(targets.size(), 0.0)};
  double total = 0.0;
  for (std::size_t n = 0; n < targets.size(); ++n) {
    if (targets[n] < 0) continue;
    const auto target = static_cast<std::size_t>(targets[n]);
    VKGPT_CHECK(target < V, "target {}", target);
    const Vector row = softcap_forward(logits.subspan(n * Vp, V), shaping.softcap);
    const double lse = log_sum_exp(row);
    const double smooth = shaping.label_smoothing;
    result.losses[n] = lse - (1.0 - smooth) * row[target] - smooth * mean(row) + shaping.z_loss * lse * lse;
    result.counted += 1;
    total += result.losses[n];
  }
  if (result.counted > 0) result.mean_loss = total / static_cast<double>(result.counted);
  return result;
}

Vector cross_entropy_backward(View logits, TokenView targets, std::size_t V, std::size_t Vp,
                              double grad_scale, const LossShaping& shaping) {
  VKGPT_CHECK(0 < V && V <= Vp && logits.size() == targets.size() * Vp);
  Vector dlogits(logits.size(), 0.0);
  for (std::size_t n = 0; n < targets.size(); ++n) {
    if (targets[n] < 0) continue;
    const auto target = static_cast<std::size_t>(targets[n]);
    VKGPT_CHECK(target < V, "target {}", target);
    const View raw = logits.subspan(n * Vp, V);
    const Vector row = softcap_forward(raw, shaping.softcap);
    const double lse = log_sum_exp(row);
    Vector drow(V);
    for (std::size_t v = 0; v < V; ++v) {
      const double probability = std::exp(row[v] - lse);
      const double wanted = (v == target ? 1.0 - shaping.label_smoothing : 0.0) +
                            shaping.label_smoothing / static_cast<double>(V);
      drow[v] = grad_scale * (probability * (1.0 + 2.0 * shaping.z_loss * lse) - wanted);
    }
    std::ranges::copy(softcap_backward(drow, raw, shaping.softcap), &dlogits[n * Vp]);
  }
  return dlogits;
}

}  // namespace vkgpt::reference
