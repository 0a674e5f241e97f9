#pragma once

#include "reference/attention.hpp"

namespace vkgpt::reference {

/// Rotary position embedding (Su et al., arXiv:2104.09864) in LLaMA's layout: elements i and i + HS / 2 of
/// every q and k head are rotated by the angle t theta^(-2i / HS); v stays. qkv (B, T, (NH + 2 NKV) HS).
Vector rope_forward(View qkv, const AttentionShape& shape, double theta);

/// The gradient: the inverse rotation of dqkv.
Vector rope_backward(View dqkv, const AttentionShape& shape, double theta);

}  // namespace vkgpt::reference
