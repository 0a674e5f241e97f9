#include "reference/muon.hpp"

#include <algorithm>
#include <cmath>

#include "vkgpt/core/check.hpp"

namespace vkgpt::reference {
namespace {

Vector transpose(View a, std::size_t rows, std::size_t cols) {
  Vector t(rows * cols);
  for (std::size_t i = 0; i < rows; ++i)
    for (std::size_t j = 0; j < cols; ++j) t[j * rows + i] = a[i * cols + j];
  return t;
}

}  // namespace

Vector newton_schulz(View g, std::int64_t rows, std::int64_t cols) {
  VKGPT_CHECK(g.size() == static_cast<std::size_t>(rows * cols));
  const auto r = static_cast<std::size_t>(rows), c = static_cast<std::size_t>(cols);
  if (r > c) return transpose(newton_schulz(transpose(g, r, c), cols, rows), c, r);
  double squares = 0.0;
  for (const double value : g) squares += value * value;
  Vector x(g.begin(), g.end());
  for (double& value : x) value /= std::max(std::sqrt(squares), 1e-7);
  for (int step = 0; step < 5; ++step) {
    const Vector gram = matmul_nt(x, x, r, r, c);
    const Vector gram_x = matmul_nn(gram, x, r, c, r);
    const Vector gram_gram_x = matmul_nn(gram, gram_x, r, c, r);
    for (std::size_t i = 0; i < x.size(); ++i) {
      x[i] = 3.4445 * x[i] - 4.7750 * gram_x[i] + 2.0315 * gram_gram_x[i];
    }
  }
  return x;
}

void muon_step(std::span<double> weights, View gradient, std::span<double> momentum, std::int64_t rows,
               std::int64_t cols, const Muon& config, double grad_scale) {
  VKGPT_CHECK(weights.size() == gradient.size() && momentum.size() == weights.size());
  const double mu = config.momentum;
  Vector u(weights.size());
  for (std::size_t i = 0; i < u.size(); ++i) {
    const double g = grad_scale * gradient[i];
    momentum[i] = mu * momentum[i] + (1.0 - mu) * g;
    u[i] = mu * momentum[i] + (1.0 - mu) * g;
  }
  const Vector x = newton_schulz(u, rows, cols);
  const double factor = 0.2 * std::sqrt(static_cast<double>(std::max(rows, cols)));
  for (std::size_t i = 0; i < u.size(); ++i) {
    weights[i] -= config.learning_rate * (factor * x[i] + config.weight_decay * weights[i]);
  }
}

}  // namespace vkgpt::reference
