#pragma once

#include "reference/attention.hpp"

namespace vkgpt::reference {

/// How fast the pairs turn; the rest is Llama 3.1's stretching of long wavelengths.
struct Rope {
  double theta = 10000;
  double factor = 1;  // 1 = none
  double low = 1;
  double high = 4;
  double original_context = 8192;
};

/// Rotary position embedding (Su et al., arXiv:2104.09864) in LLaMA's layout: elements i and i + HS / 2 of
/// every q and k head are rotated by the angle t theta^(-2i / HS), or the stretched one; v stays. qkv (B, T,
/// (NH + 2 NKV) HS).
Vector rope_forward(View qkv, const AttentionShape& shape, const Rope& rope);

/// The gradient: the inverse rotation of dqkv.
Vector rope_backward(View dqkv, const AttentionShape& shape, const Rope& rope);

}  // namespace vkgpt::reference
