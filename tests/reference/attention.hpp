#pragma once

#include <functional>

#include "reference/matmul.hpp"

namespace vkgpt::reference {

/// Sizes of an attention; NH divides C, the head size HS is C / NH. With NKV = 0 every query head has a key
/// and value head of its own; otherwise query head h uses key and value head h / (NH / NKV). With window = 0
/// a query sees every key up to itself; otherwise the last `window` of them.
struct AttentionShape {
  std::size_t B = 0;
  std::size_t T = 0;
  std::size_t C = 0;
  std::size_t NH = 0;
  std::size_t NKV = 0;
  std::size_t window = 0;

  std::size_t HS() const { return C / NH; }
  std::size_t kv_heads() const { return NKV == 0 ? NH : NKV; }
  std::size_t kv_head(std::size_t head) const { return head / (NH / kv_heads()); }
  /// Elements of a row of qkv: q heads | k heads | v heads.
  std::size_t qkv_width() const { return (NH + 2 * kv_heads()) * HS(); }
  /// The first key that query t sees.
  std::size_t first_key(std::size_t t) const { return window == 0 || t < window ? 0 : t - window + 1; }
};

/// What dropout multiplies the probability of `key` in row (b NH + head) T + t by: 0 or 1 / (1 - p).
using ProbabilityMask = std::function<double(std::size_t row, std::size_t key)>;

struct Attention {
  Vector out;  // (B, T, C)
  Vector lse;  // (B, NH, T), log of the sum over keys of exp(scaled score)
};
/// Causal (mask * softmax(q k^T / sqrt(HS))) v (arXiv:1706.03762, grouped queries arXiv:2305.13245); qkv
/// (B, T, (NH + 2 NKV) HS), the heads of q | k | v.
Attention attention_forward(View qkv, const AttentionShape& shape, const ProbabilityMask& mask = {});

/// dqkv as qkv (B, T, (NH + 2 NKV) HS); dout (B, T, C).
Vector attention_backward(View dout, View qkv, const AttentionShape& shape, const ProbabilityMask& mask = {});

/// The row-sum pre-pass of a flash backward (arXiv:2205.14135): sum over HS of dout * out -> (B, NH, T).
Vector attention_row_sums(View dout, View out, const AttentionShape& shape);

}  // namespace vkgpt::reference
