#include "reference/layernorm.hpp"

#include <cmath>

#include "vkgpt/core/check.hpp"

namespace vkgpt::reference {

Layernorm layernorm_forward(View x, View weight, View bias, std::size_t rows, std::size_t C, double eps) {
  VKGPT_CHECK(x.size() == rows * C && weight.size() == C);
  VKGPT_CHECK(bias.empty() || bias.size() == C);
  const double width = static_cast<double>(C);
  Layernorm result{.y = Vector(rows * C), .mean = Vector(rows), .rstd = Vector(rows)};
  for (std::size_t row = 0; row < rows; ++row) {
    const View in = x.subspan(row * C, C);
    double mean = 0.0;
    for (const double value : in) mean += value / width;
    double variance = 0.0;
    for (const double value : in) variance += (value - mean) * (value - mean) / width;
    const double rstd = 1.0 / std::sqrt(variance + eps);
    for (std::size_t c = 0; c < C; ++c)
      result.y[row * C + c] = (in[c] - mean) * rstd * weight[c] + (bias.empty() ? 0.0 : bias[c]);
    result.mean[row] = mean;
    result.rstd[row] = rstd;
  }
  return result;
}

LayernormGradients layernorm_backward(View dout, View x, View weight, View mean, View rstd, std::size_t rows,
                                      std::size_t C) {
  VKGPT_CHECK(dout.size() == rows * C && x.size() == rows * C && weight.size() == C);
  VKGPT_CHECK(mean.size() == rows && rstd.size() == rows);
  const double width = static_cast<double>(C);
  LayernormGradients gradients{.dx = Vector(rows * C), .dweight = Vector(C, 0.0), .dbias = Vector(C, 0.0)};
  for (std::size_t row = 0; row < rows; ++row) {
    double mean_dnorm = 0.0;       // mean over c of dnorm = dout * weight
    double mean_dnorm_norm = 0.0;  // mean over c of dnorm * norm, where norm = (x - mean) * rstd
    for (std::size_t c = 0; c < C; ++c) {
      const std::size_t i = row * C + c;
      const double norm = (x[i] - mean[row]) * rstd[row];
      mean_dnorm += dout[i] * weight[c] / width;
      mean_dnorm_norm += dout[i] * weight[c] * norm / width;
      gradients.dweight[c] += dout[i] * norm;
      gradients.dbias[c] += dout[i];
    }
    for (std::size_t c = 0; c < C; ++c) {
      const std::size_t i = row * C + c;
      const double norm = (x[i] - mean[row]) * rstd[row];
      gradients.dx[i] = rstd[row] * (dout[i] * weight[c] - mean_dnorm - norm * mean_dnorm_norm);
    }
  }
  return gradients;
}

ResidualLayernorm residual_layernorm_forward(View x, View y, View weight, View bias, std::size_t rows,
                                             std::size_t C, double eps) {
  ResidualLayernorm result{.residual = add(x, y), .norm = {}};
  result.norm = layernorm_forward(result.residual, weight, bias, rows, C, eps);
  return result;
}

LayernormGradients residual_layernorm_backward(View dout, View dresidual, View residual, View weight,
                                               View mean, View rstd, std::size_t rows, std::size_t C) {
  LayernormGradients gradients = layernorm_backward(dout, residual, weight, mean, rstd, rows, C);
  gradients.dx = add(gradients.dx, dresidual);
  return gradients;
}

}  // namespace vkgpt::reference
