#include "reference/activation.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "vkgpt/core/check.hpp"

namespace vkgpt::reference {
namespace {

double normal_cdf(double x) {
  return 0.5 * std::erfc(-x / std::numbers::sqrt2);
}

double sigmoid(double x) {
  return 1.0 / (1.0 + std::exp(-x));
}

}  // namespace

Vector gelu_erf_forward(View x) {
  Vector y(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) y[i] = x[i] * normal_cdf(x[i]);
  return y;
}

Vector gelu_erf_backward(View dout, View x) {
  VKGPT_CHECK(dout.size() == x.size());
  Vector dx(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double density = std::exp(-0.5 * x[i] * x[i]) / std::sqrt(2.0 * std::numbers::pi);
    dx[i] = dout[i] * (normal_cdf(x[i]) + x[i] * density);
  }
  return dx;
}

Vector relu_squared_forward(View x) {
  Vector y(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) y[i] = std::max(x[i], 0.0) * std::max(x[i], 0.0);
  return y;
}

Vector relu_squared_backward(View dout, View x) {
  VKGPT_CHECK(dout.size() == x.size());
  Vector dx(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) dx[i] = dout[i] * 2.0 * std::max(x[i], 0.0);
  return dx;
}

Vector swiglu_forward(View x, std::size_t rows, std::size_t F) {
  VKGPT_CHECK(x.size() == rows * 2 * F);
  Vector y(rows * F);
  for (std::size_t row = 0; row < rows; ++row) {
    for (std::size_t f = 0; f < F; ++f) {
      const double gate = x[row * 2 * F + f];
      const double up = x[row * 2 * F + F + f];
      y[row * F + f] = gate * sigmoid(gate) * up;
    }
  }
  return y;
}

Vector swiglu_backward(View dout, View x, std::size_t rows, std::size_t F) {
  VKGPT_CHECK(x.size() == rows * 2 * F && dout.size() == rows * F);
  Vector dx(rows * 2 * F);
  for (std::size_t row = 0; row < rows; ++row) {
    for (std::size_t f = 0; f < F; ++f) {
      const double gate = x[row * 2 * F + f];
      const double up = x[row * 2 * F + F + f];
      const double s = sigmoid(gate);
      const double d = dout[row * F + f];
      dx[row * 2 * F + f] = d * up * s * (1.0 + gate * (1.0 - s));
      dx[row * 2 * F + F + f] = d * gate * s;
    }
  }
  return dx;
}

}  // namespace vkgpt::reference
