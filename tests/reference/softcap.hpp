#pragma once

#include "reference/matmul.hpp"

namespace vkgpt::reference {

/// cap * tanh(x / cap) (Gemma 2, arXiv:2408.00118); x itself where cap is 0.
Vector softcap_forward(View x, double cap);
/// dx; dout and x have the same shape.
Vector softcap_backward(View dout, View x, double cap);

}  // namespace vkgpt::reference
