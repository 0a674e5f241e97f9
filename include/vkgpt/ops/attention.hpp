#pragma once

#include <cstdint>

#include "vkgpt/plan/plan_builder.hpp"

namespace vkgpt::ops {

/// Multi-head causal self-attention, flash-style (Dao et al., arXiv:2205.14135, 2307.08691). qkv holds
/// q | k | v, each (NH, HS) inside C, as in GPT-2; HS = C / NH is at most 128 and a multiple of 4; T is any.
/// Work is cut over B where a tensor exceeds what one descriptor may cover, and into dispatches of bounded
/// length. There are no atomics: a row is summed by one group in a fixed order.

struct AttentionForward {
  plan::Tensor qkv;  // (B, T, 3C)
  plan::Tensor out;  // (B, T, C), out
  plan::Tensor lse;  // (B, NH, T), out: log of the sum over keys of exp(scaled score)
  std::int64_t n_head = 0;
};

/// out = softmax(q k^T / sqrt(HS)) v, each query over the keys up to its own position.
void attention_forward(plan::PlanBuilder& builder, const AttentionForward& args);

struct AttentionBackward {
  plan::Tensor dout;  // (B, T, C)
  plan::Tensor qkv;   // (B, T, 3C)
  plan::Tensor out;   // (B, T, C), of the forward
  plan::Tensor lse;   // (B, NH, T), of the forward
  plan::Tensor dqkv;  // (B, T, 3C), out
  std::int64_t n_head = 0;
};

/// The gradient of `attention_forward`: probabilities are recomputed from lse, once for dq and once for dk
/// and dv.
void attention_backward(plan::PlanBuilder& builder, const AttentionBackward& args);

struct AttentionCacheFill {
  plan::Tensor qkv;      // (B, T, 3C)
  plan::Tensor k_cache;  // (B, NH, T_max, HS), written at positions [0, T)
  plan::Tensor v_cache;  // (B, NH, T_max, HS), likewise
  std::int64_t n_head = 0;
};

/// Copies the keys and values of a prompt's T <= T_max positions into the cache. A padded prompt may fill in
/// positions that are not real: `attention_decode` writes a position before it reads it.
void attention_cache_fill(plan::PlanBuilder& builder, const AttentionCacheFill& args);

struct AttentionDecode {
  plan::Tensor qkv;      // (B, 3C) or (B, 1, 3C): one new token of each sequence
  plan::Tensor k_cache;  // (B, NH, T_max, HS), written at StepParams.position
  plan::Tensor v_cache;  // (B, NH, T_max, HS), likewise
  plan::Tensor out;      // (B, C) or (B, 1, C), out
  std::int64_t n_head = 0;
};

/// The attention of the token at StepParams.position (less than T_max) over the cached positions before it
/// and itself; adds its key and value to the cache. Equals `attention_forward` but for rounding.
void attention_decode(plan::PlanBuilder& builder, const AttentionDecode& args);

}  // namespace vkgpt::ops
