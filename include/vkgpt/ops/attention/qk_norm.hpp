#pragma once

#include <cstdint>
#include <optional>

#include "vkgpt/plan/plan_builder.hpp"

namespace vkgpt::ops {

/// RMSNorm (Zhang, Sennrich, arXiv:1910.07467) of each q head and each k head over its HS elements, as in
/// Qwen3 (arXiv:2505.09388): one weight for all q heads and one for all k heads; before RoPE. A row is a
/// position: (B, T, ...) in training, (B, ...) in decoding. Sums are fp32.

struct QkNormForward {
  plan::Tensor qkv;       // (..., (NH + 2 NKV) HS), f32, f16 or bf16
  plan::Tensor q_weight;  // (HS)
  plan::Tensor k_weight;  // (HS)
  plan::Tensor out;       // as qkv, out; its v heads are copied
  plan::Tensor rstd;      // (..., NH + NKV), out: 1 / sqrt(mean of the squares + eps)
  std::int64_t n_head = 0;
  std::int64_t n_kv_head = 0;  // 0 = n_head
  float eps = 1e-5F;
  bool one_plus = false;  // times 1 + weight, as in Gemma 3 (arXiv:2503.19786)
};

void qk_norm_forward(plan::PlanBuilder& builder, const QkNormForward& args);

struct QkNormBackward {
  plan::Tensor dout;                           // (..., (NH + 2 NKV) HS), f32, f16 or bf16
  plan::Tensor qkv;                            // as dout, of the forward
  plan::Tensor q_weight;                       // (HS)
  plan::Tensor k_weight;                       // (HS)
  plan::Tensor rstd;                           // (..., NH + NKV), of the forward
  plan::Tensor dqkv;                           // as dout, out; its v heads are copied
  std::optional<plan::Tensor> dq_weight = {};  // (HS), added to or stored, see `adds_to`
  std::optional<plan::Tensor> dk_weight = {};  // (HS), likewise
  std::int64_t n_head = 0;
  std::int64_t n_kv_head = 0;  // 0 = n_head
  bool one_plus = false;       // of the forward
};

/// The gradient. A weight's gradient that is not asked for costs nothing.
void qk_norm_backward(plan::PlanBuilder& builder, const QkNormBackward& args);

}  // namespace vkgpt::ops
