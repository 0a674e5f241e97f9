#include "vkgpt/check/definitions.hpp"
#include "vkgpt/core/check.hpp"

namespace vkgpt::check {
namespace {

/// A matrix as it lies in memory, or its transpose: element (row, column) by the distance of rows and of
/// columns.
struct Matrix {
  View values;
  std::size_t row, column;

  double operator()(std::size_t r, std::size_t c) const { return values[r * row + c * column]; }
};

/// a (M, K) b (K, N) -> (M, N).
Vector product(const Matrix& a, const Matrix& b, std::size_t M, std::size_t N, std::size_t K) {
  VKGPT_CHECK(a.values.size() == M * K && b.values.size() == K * N);
  Vector c(M * N, 0.0);
  for (std::size_t m = 0; m < M; ++m)
    for (std::size_t k = 0; k < K; ++k)
      for (std::size_t n = 0; n < N; ++n) c[m * N + n] += a(m, k) * b(k, n);
  return c;
}

}  // namespace

Vector matmul_nn(View a, View b, std::size_t M, std::size_t N, std::size_t K) {
  return product({a, K, 1}, {b, N, 1}, M, N, K);
}

Vector matmul_nt(View a, View b, std::size_t M, std::size_t N, std::size_t K) {
  return product({a, K, 1}, {b, 1, K}, M, N, K);
}

Vector matmul_tn(View a, View b, std::size_t M, std::size_t N, std::size_t K) {
  return product({a, 1, M}, {b, N, 1}, M, N, K);
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

LinearGelu linear_gelu_forward(View x, View weight, View bias, std::size_t M, std::size_t N, std::size_t K) {
  LinearGelu result{.pre = linear_forward(x, weight, bias, M, N, K), .out = {}};
  result.out = gelu_forward(result.pre);
  return result;
}

}  // namespace vkgpt::check
