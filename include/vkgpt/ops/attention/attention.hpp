#pragma once

#include <cstdint>
#include <optional>

#include "vkgpt/ops/documents.hpp"
#include "vkgpt/ops/dropout.hpp"
#include "vkgpt/plan/plan_builder.hpp"

namespace vkgpt::ops {

/// Causal self-attention, flash-style (Dao et al., arXiv:2205.14135, 2307.08691). A row of qkv holds the
/// heads of q | k | v: NH, NKV and NKV of HS elements (see `QkvHeads`: multi-head, grouped and multi-query);
/// C is NH HS, T is any. With a window, query t sees the keys in (t - window, t] only (Beltagy et al.,
/// arXiv:2004.05150) and the work is that of the window; with documents it sees those of its own document
/// only, and tiles of others are not visited. Work is cut over B where a tensor exceeds what one
/// descriptor may cover, and into dispatches of bounded length. There are no atomics: a row is summed by one
/// group in a fixed order. qkv, out and their gradients are all f32, all f16 or all bf16, and so are the
/// caches but that they may be f16 beside f32, of which what is beyond +-65504 becomes that; lse is f32, and
/// so are scores, probabilities and sums.

struct AttentionForward {
  plan::Tensor qkv;  // (B, T, (NH + 2 NKV) HS)
  plan::Tensor out;  // (B, T, C), out
  plan::Tensor lse;  // (B, NH, T), out: log of the sum over keys of exp(scaled score)
  std::int64_t n_head = 0;
  std::int64_t n_kv_head = 0;  // 0 = n_head
  std::int64_t window = 0;     // 0 = all
  Dropout dropout = {};
  std::optional<Documents> documents = {};
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
  std::optional<Documents> documents = {};
};

/// The gradient of `attention_forward`: probabilities are recomputed from lse, once for dq and once for dk
/// and dv, and masks of dropout drawn again.
void attention_backward(plan::PlanBuilder& builder, const AttentionBackward& args);

// A decoder's rows are tokens of several sequences. The place of each, a row of `places` (rows, 2) i32, is
// its position (less than T_max) and the slot of the cache that holds its sequence; a slot of -1 marks
// padding.

struct AttentionCacheFill {
  plan::Tensor qkv;      // (rows, (NH + 2 NKV) HS)
  plan::Tensor places;   // (rows, 2) i32
  plan::Tensor k_cache;  // (slots, NKV, T_max, HS), written at the places
  plan::Tensor v_cache;  // (slots, NKV, T_max, HS), likewise
  std::int64_t n_head = 0;
  std::int64_t n_kv_head = 0;  // 0 = n_head
};

/// Puts the keys and values of the rows into the cache.
void attention_cache_fill(plan::PlanBuilder& builder, const AttentionCacheFill& args);

struct AttentionDecode {
  plan::Tensor qkv;      // (rows, (NH + 2 NKV) HS)
  plan::Tensor places;   // (rows, 2) i32
  plan::Tensor k_cache;  // (slots, NKV, T_max, HS)
  plan::Tensor v_cache;  // (slots, NKV, T_max, HS)
  plan::Tensor out;      // (rows, C), out
  std::int64_t n_head = 0;
  std::int64_t n_kv_head = 0;  // 0 = n_head
  std::int64_t window = 0;     // 0 = all
  /// The rows are of one sequence at positions that follow each other, and in the cache already; the first
  /// StepParams.token_count are real, padding follows. Else they are of different sequences, and their keys
  /// and values are added to the cache.
  bool is_run = false;
};

/// The attention of each row over the cached positions before it that it sees and itself. Equals
/// `attention_forward` but for rounding. The bits of a row depend on it and on its positions in the cache
/// alone; on GPUs, where several workgroups divide the keys of a row that is not of a run, and runs go by
/// tiles on matrices, also on `is_run`.
void attention_decode(plan::PlanBuilder& builder, const AttentionDecode& args);

}  // namespace vkgpt::ops
