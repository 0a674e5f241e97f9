#pragma once

#include "reference/matmul.hpp"

namespace vkgpt::reference {

struct Rmsnorm {
  Vector y;     // (rows, C)
  Vector rstd;  // (rows), 1 / sqrt(mean of x^2 + eps)
};
/// y = x * rstd * weight over the last dimension (arXiv:1910.07467); x (rows, C), weight (C).
Rmsnorm rmsnorm_forward(View x, View weight, std::size_t rows, std::size_t C, double eps);

struct RmsnormGradients {
  Vector dx;       // (rows, C)
  Vector dweight;  // (C)
};
/// dout and x (rows, C), weight (C), rstd (rows).
RmsnormGradients rmsnorm_backward(View dout, View x, View weight, View rstd, std::size_t rows, std::size_t C);

}  // namespace vkgpt::reference
