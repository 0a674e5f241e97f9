#pragma once

#include "reference/matmul.hpp"

namespace vkgpt::reference {

// GELU's tanh form is in matmul.hpp: it is the epilogue of a matmul.

/// x Phi(x) = 0.5 x (1 + erf(x / sqrt(2))): arXiv:1606.08415.
Vector gelu_erf_forward(View x);
Vector gelu_erf_backward(View dout, View x);

/// max(x, 0)^2: So et al., arXiv:2109.08668.
Vector relu_squared_forward(View x);
Vector relu_squared_backward(View dout, View x);

/// y = silu(gate) * up (Shazeer, arXiv:2002.05202), silu(g) = g / (1 + exp(-g)); x (rows, 2F) = [gate | up]
/// -> (rows, F).
Vector swiglu_forward(View x, std::size_t rows, std::size_t F);
/// dx (rows, 2F); dout (rows, F), x (rows, 2F).
Vector swiglu_backward(View dout, View x, std::size_t rows, std::size_t F);

}  // namespace vkgpt::reference
