#pragma once

#include "reference/matmul.hpp"

namespace vkgpt::reference {

inline constexpr double kLayernormEps = 1e-5;

struct Layernorm {
  Vector y;     // (rows, C)
  Vector mean;  // (rows)
  Vector rstd;  // (rows), 1 / sqrt(var + eps), var with 1/C
};
/// y = (x - mean) * rstd * weight + bias over the last dimension (arXiv:1607.06450); x (rows, C), weight
/// (C), bias (C) or empty.
Layernorm layernorm_forward(View x, View weight, View bias, std::size_t rows, std::size_t C,
                            double eps = kLayernormEps);

struct LayernormGradients {
  Vector dx;       // (rows, C)
  Vector dweight;  // (C)
  Vector dbias;    // (C)
};
/// dout and x (rows, C), weight (C), mean and rstd (rows).
LayernormGradients layernorm_backward(View dout, View x, View weight, View mean, View rstd, std::size_t rows,
                                      std::size_t C);

struct ResidualLayernorm {
  Vector residual;  // (rows, C), x + y
  Layernorm norm;   // LayerNorm of `residual`
};
/// The LayerNorm fused with the residual add: r = x + y; out = LN(r).
ResidualLayernorm residual_layernorm_forward(View x, View y, View weight, View bias, std::size_t rows,
                                             std::size_t C, double eps = kLayernormEps);

/// `dx` of the result is the gradient of x and of y: what reaches r from its later uses (`dresidual`, (rows,
/// C)) plus what comes back through the norm (`dout`, (rows, C)).
LayernormGradients residual_layernorm_backward(View dout, View dresidual, View residual, View weight,
                                               View mean, View rstd, std::size_t rows, std::size_t C);

}  // namespace vkgpt::reference
