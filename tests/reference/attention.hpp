#pragma once

#include "reference/matmul.hpp"

namespace vkgpt::reference {

/// Sizes of a multi-head attention; NH divides C, the head size HS is C / NH.
struct AttentionShape {
  std::size_t B = 0;
  std::size_t T = 0;
  std::size_t C = 0;
  std::size_t NH = 0;

  std::size_t HS() const { return C / NH; }
};

struct Attention {
  Vector out;  // (B, T, C)
  Vector lse;  // (B, NH, T), log of the sum over keys of exp(scaled score)
};
/// Causal softmax(q k^T / sqrt(HS)) v (arXiv:1706.03762); qkv (B, T, 3C), q|k|v each (NH, HS) inside C.
Attention attention_forward(View qkv, const AttentionShape& shape);

/// dqkv (B, T, 3C); dout (B, T, C), qkv (B, T, 3C).
Vector attention_backward(View dout, View qkv, const AttentionShape& shape);

/// The row-sum pre-pass of a flash backward (arXiv:2205.14135): sum over HS of dout * out -> (B, NH, T).
Vector attention_row_sums(View dout, View out, const AttentionShape& shape);

}  // namespace vkgpt::reference
