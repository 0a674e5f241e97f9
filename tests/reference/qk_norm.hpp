#pragma once

#include "reference/attention.hpp"

namespace vkgpt::reference {

struct QkNorm {
  Vector out;   // (B, T, (NH + 2 NKV) HS)
  Vector rstd;  // (B, T, NH + NKV), 1 / sqrt(mean over HS of the squares + eps)
};
/// RMSNorm (arXiv:1910.07467) over each q head, times q_weight (HS), and over each k head, times k_weight
/// (HS); v stays. qkv (B, T, (NH + 2 NKV) HS).
QkNorm qk_norm_forward(View qkv, View q_weight, View k_weight, const AttentionShape& shape, double eps);

struct QkNormGradients {
  Vector dqkv;       // (B, T, (NH + 2 NKV) HS)
  Vector dq_weight;  // (HS)
  Vector dk_weight;  // (HS)
};
QkNormGradients qk_norm_backward(View dout, View qkv, View q_weight, View k_weight,
                                 const AttentionShape& shape, double eps);

}  // namespace vkgpt::reference
