#pragma once

#include <cstddef>
#include <span>
#include <vector>

/// Double-precision definitions of vkgpt's ops: plain loops, row-major, read as the meaning of each kernel.
namespace vkgpt::reference {

using Vector = std::vector<double>;
using View = std::span<const double>;

/// a + b, element by element.
Vector add(View a, View b);

/// C = A B; a (M, K), b (K, N) -> (M, N).
Vector matmul_nn(View a, View b, std::size_t M, std::size_t N, std::size_t K);
/// C = A B^T; a (M, K), b (N, K) -> (M, N).
Vector matmul_nt(View a, View b, std::size_t M, std::size_t N, std::size_t K);
/// C = A^T B; a (K, M), b (K, N) -> (M, N).
Vector matmul_tn(View a, View b, std::size_t M, std::size_t N, std::size_t K);

/// y = x W^T + bias; x (M, K), weight (N, K), bias (N) or empty -> (M, N).
Vector linear_forward(View x, View weight, View bias, std::size_t M, std::size_t N, std::size_t K);

struct LinearGradients {
  Vector dx;       // (M, K)
  Vector dweight;  // (N, K)
  Vector dbias;    // (N)
};
/// dout (M, N), x (M, K), weight (N, K).
LinearGradients linear_backward(View dout, View x, View weight, std::size_t M, std::size_t N, std::size_t K);

/// 0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))): the tanh form of Hendrycks & Gimpel, arXiv:1606.08415.
Vector gelu_forward(View x);
/// dx of `gelu_forward`; dout and x have the same shape.
Vector gelu_backward(View dout, View x);

struct LinearGelu {
  Vector pre;  // (M, N), x W^T + bias
  Vector out;  // (M, N), gelu(pre)
};
/// The matmul with the bias+GELU epilogue. Its backward is `gelu_backward(dout, pre)`, then
/// `linear_backward`.
LinearGelu linear_gelu_forward(View x, View weight, View bias, std::size_t M, std::size_t N, std::size_t K);

}  // namespace vkgpt::reference
