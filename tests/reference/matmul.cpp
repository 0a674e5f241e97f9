#include "reference/matmul.hpp"

#include <cmath>
#include <numbers>

#include "vkgpt/core/check.hpp"

namespace vkgpt::reference {
namespace {

const double kGeluScale = std::sqrt(2.0 / std::numbers::pi);
constexpr double kGeluCubic = 0.044715;

}  // namespace

Vector add(View a, View b) {
  VKGPT_CHECK(a.size() == b.size());
  Vector sum(a.begin(), a.end());
  for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += b[i];
  return sum;
}

Vector matmul_nn(View a, View b, std::size_t M, std::size_t N, std::size_t K) {
  VKGPT_CHECK(a.size() == M * K && b.size() == K * N);
  Vector c(M * N, 0.0);
  for (std::size_t m = 0; m < M; ++m)
    for (std::size_t k = 0; k < K; ++k)
      for (std::size_t n = 0; n < N; ++n) c[m * N + n] += a[m * K + k] * b[k * N + n];
  return c;
}

Vector matmul_nt(View a, View b, std::size_t M, std::size_t N, std::size_t K) {
  VKGPT_CHECK(a.size() == M * K && b.size() == N * K);
  Vector c(M * N, 0.0);
  for (std::size_t m = 0; m < M; ++m) {
    for (std::size_t n = 0; n < N; ++n) {
      double sum = 0.0;
      for (std::size_t k = 0; k < K; ++k) sum += a[m * K + k] * b[n * K + k];
      c[m * N + n] = sum;
    }
  }
  return c;
}

Vector matmul_tn(View a, View b, std::size_t M, std::size_t N, std::size_t K) {
  VKGPT_CHECK(a.size() == K * M && b.size() == K * N);
  Vector c(M * N, 0.0);
  for (std::size_t k = 0; k < K; ++k)
    for (std::size_t m = 0; m < M; ++m)
      for (std::size_t n = 0; n < N; ++n) c[m * N + n] += a[k * M + m] * b[k * N + n];
  return c;
}

Vector linear_forward(View x, View weight, View bias, std::size_t M, std::size_t N, std::size_t K) {
  VKGPT_CHECK(bias.empty() || bias.size() == N);
  Vector y = matmul_nt(x, weight, M, N, K);
  if (bias.empty()) return y;
  for (std::size_t m = 0; m < M; ++m)
    for (std::size_t n = 0; n < N; ++n) y[m * N + n] += bias[n];
  return y;
}

LinearGradients linear_backward(View dout, View x, View weight, std::size_t M, std::size_t N, std::size_t K) {
  VKGPT_CHECK(dout.size() == M * N && x.size() == M * K && weight.size() == N * K);
  LinearGradients gradients{.dx = matmul_nn(dout, weight, M, K, N),
                            .dweight = matmul_tn(dout, x, N, K, M),
                            .dbias = Vector(N, 0.0)};
  for (std::size_t m = 0; m < M; ++m)
    for (std::size_t n = 0; n < N; ++n) gradients.dbias[n] += dout[m * N + n];
  return gradients;
}

Vector gelu_forward(View x) {
  Vector y(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double inner = kGeluScale * (x[i] + kGeluCubic * x[i] * x[i] * x[i]);
    y[i] = 0.5 * x[i] * (1.0 + std::tanh(inner));
  }
  return y;
}

Vector gelu_backward(View dout, View x) {
  VKGPT_CHECK(dout.size() == x.size());
  Vector dx(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double t = std::tanh(kGeluScale * (x[i] + kGeluCubic * x[i] * x[i] * x[i]));
    const double dinner = kGeluScale * (1.0 + 3.0 * kGeluCubic * x[i] * x[i]);
    dx[i] = dout[i] * (0.5 * (1.0 + t) + 0.5 * x[i] * (1.0 - t * t) * dinner);
  }
  return dx;
}

LinearGelu linear_gelu_forward(View x, View weight, View bias, std::size_t M, std::size_t N, std::size_t K) {
  LinearGelu result{.pre = linear_forward(x, weight, bias, M, N, K), .out = {}};
  result.out = gelu_forward(result.pre);
  return result;
}

}  // namespace vkgpt::reference
