#include "reference/rmsnorm.hpp"

#include <cmath>

#include "vkgpt/core/check.hpp"

namespace vkgpt::reference {

Rmsnorm rmsnorm_forward(View x, View weight, std::size_t rows, std::size_t C, double eps) {
  VKGPT_CHECK(x.size() == rows * C && weight.size() == C);
  Rmsnorm result{.y = Vector(rows * C), .rstd = Vector(rows)};
  for (std::size_t row = 0; row < rows; ++row) {
    const View in = x.subspan(row * C, C);
    double mean_square = 0.0;
    for (const double value : in) mean_square += value * value / static_cast<double>(C);
    result.rstd[row] = 1.0 / std::sqrt(mean_square + eps);
    for (std::size_t c = 0; c < C; ++c) result.y[row * C + c] = in[c] * result.rstd[row] * weight[c];
  }
  return result;
}

RmsnormGradients rmsnorm_backward(View dout, View x, View weight, View rstd, std::size_t rows,
                                  std::size_t C) {
  VKGPT_CHECK(dout.size() == rows * C && x.size() == rows * C && weight.size() == C && rstd.size() == rows);
  RmsnormGradients gradients{.dx = Vector(rows * C), .dweight = Vector(C, 0.0)};
  for (std::size_t row = 0; row < rows; ++row) {
    double mean_dnorm_norm = 0.0;  // mean over c of dnorm * norm, dnorm = dout * weight and norm = x * rstd
    for (std::size_t c = 0; c < C; ++c) {
      const std::size_t i = row * C + c;
      mean_dnorm_norm += dout[i] * weight[c] * x[i] * rstd[row] / static_cast<double>(C);
      gradients.dweight[c] += dout[i] * x[i] * rstd[row];
    }
    for (std::size_t c = 0; c < C; ++c) {
      const std::size_t i = row * C + c;
      gradients.dx[i] = rstd[row] * (dout[i] * weight[c] - x[i] * rstd[row] * mean_dnorm_norm);
    }
  }
  return gradients;
}

}  // namespace vkgpt::reference
