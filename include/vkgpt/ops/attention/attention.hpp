#pragma once

#include <cstdint>

#include "vkgpt/ops/dropout.hpp"
#include "vkgpt/plan/plan_builder.hpp"

namespace vkgpt::ops {

/// Causal self-attention, flash-style (Dao et al., arXiv:2205.14135, 2307.08691). A row of qkv holds the
/// heads of q | k | v: NH, NKV and NKV of HS elements (see `QkvHeads`: multi-head, grouped and multi-query);
/// C is NH HS, T is any. With a window, query t sees the keys in (t - window, t] only (Beltagy et al.,
/// arXiv:2004.05150) and the work is that of the window. Work is cut over B where a tensor exceeds what one
/// descriptor may cover, and into dispatches of bounded length. There are no atomics: a row is summed by one
/// group in a fixed order. qkv, out, their gradients and the caches are all f32, all f16 or all bf16; lse is
/// f32, and so are scores, probabilities and sums.

struct AttentionForward {
  plan::Tensor qkv;  // (B, T, (NH + 2 NKV) HS)
  plan::Tensor out;  // (B, T, C), out
  plan::Tensor lse;  // (B, NH, T), out: log of the sum over keys of exp(scaled score)
  std::int64_t n_head = 0;
  std::int64_t n_kv_head = 0;  // 0 = n_head
  std::int64_t window = 0;     // 0 = all
  Dropout dropout = {};
};

/// out = softmax(q k^T / sqrt(HS)) v, each query over the keys that it sees. Dropout strikes the
/// probabilities after the softmax (lse knows nothing of it): that of `key` for row (b NH + h) T + t is kept
/// when uniform_float(word key % 4 of block key / 4) >= p in the stream {seed, RngPurpose::kDropout, site,
/// StepParams.dropout_step, row} (core/rng.hpp).
void attention_forward(plan::PlanBuilder& builder, const AttentionForward& args);

struct AttentionBackward {
  plan::Tensor dout;  // (B, T, C)
  plan::Tensor qkv;   // (B, T, (NH + 2 NKV) HS)
  plan::Tensor out;   // (B, T, C), of the forward
  plan::Tensor lse;   // (B, NH, T), of the forward
  plan::Tensor dqkv;  // (B, T, (NH + 2 NKV) HS), out
  std::int64_t n_head = 0;
  std::int64_t n_kv_head = 0;  // 0 = n_head
  std::int64_t window = 0;     // 0 = all
  Dropout dropout = {};
};

/// The gradient of `attention_forward`: probabilities are recomputed from lse, once for dq and once for dk
/// and dv, and masks of dropout drawn again.
void attention_backward(plan::PlanBuilder& builder, const AttentionBackward& args);

struct AttentionCacheFill {
  plan::Tensor qkv;      // (B, T, (NH + 2 NKV) HS)
  plan::Tensor k_cache;  // (B, NKV, T_max, HS), written at positions [0, T)
  plan::Tensor v_cache;  // (B, NKV, T_max, HS), likewise
  std::int64_t n_head = 0;
  std::int64_t n_kv_head = 0;  // 0 = n_head
};

/// Copies the keys and values of a prompt's T <= T_max positions into the cache. A padded prompt may fill in
/// positions that are not real: `attention_decode` writes a position before it reads it.
void attention_cache_fill(plan::PlanBuilder& builder, const AttentionCacheFill& args);

struct AttentionDecode {
  plan::Tensor qkv;      // (B, (NH + 2 NKV) HS) or (B, 1, ...): one new token of each sequence
  plan::Tensor k_cache;  // (B, NKV, T_max, HS), written at StepParams.position
  plan::Tensor v_cache;  // (B, NKV, T_max, HS), likewise
  plan::Tensor out;      // (B, C) or (B, 1, C), out
  std::int64_t n_head = 0;
  std::int64_t n_kv_head = 0;  // 0 = n_head
  std::int64_t window = 0;     // 0 = all
};

/// The attention of the token at StepParams.position (less than T_max) over the cached positions before it
/// that it sees and itself; adds its key and value to the cache. Equals `attention_forward` but for rounding.
void attention_decode(plan::PlanBuilder& builder, const AttentionDecode& args);

}  // namespace vkgpt::ops
