#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "vkgpt/ops/weight.hpp"
#include "vkgpt/plan/plan_builder.hpp"

namespace vkgpt::ops {

struct EmbeddingForward {
  plan::Tensor tokens;                         // (B, T) i32, in [0, Vp)
  Weight wte;                                  // (Vp, C) f32, of the type of x, or in blocks
  std::optional<plan::Tensor> wpe = {};        // (>= T, C), learned positions
  plan::Tensor x;                              // (B, T, C) f32, f16 or bf16, out
  std::optional<plan::Tensor> positions = {};  // (B, T) i32, where documents share a sequence
  float scale = 1;
};

/// x[b,t] = scale wte[tokens[b,t]] + wpe[t], the latter if there is one, with positions[b,t] for t where
/// given. wte may exceed what the device binds at once: it is taken in slices. A token outside the table
/// reads its last row.
void embedding_forward(plan::PlanBuilder& builder, const EmbeddingForward& args);

struct EmbeddingDecode {
  plan::Tensor tokens;                   // (rows) i32
  plan::Tensor places;                   // (rows, 2) i32, see ops/attention/attention.hpp
  Weight wte;                            // (Vp, C) f32, of the type of x, or in blocks
  std::optional<plan::Tensor> wpe = {};  // (T, C)
  plan::Tensor x;                        // (rows, C) f32, f16 or bf16, out
  float scale = 1;
};

/// x[r] = scale wte[tokens[r]] + wpe[position of r], the latter if there is one: the step of a decoder.
void embedding_decode(plan::PlanBuilder& builder, const EmbeddingDecode& args);

struct EmbeddingBackward {
  plan::Tensor dx;                        // (B, T, C) f32, f16 or bf16
  plan::Tensor order;                     // (2 * B * T) u32: see `embedding_order`
  std::optional<plan::Tensor> dwte = {};  // (Vp, C), added to (see `zero_discarded`); not computed without
  std::optional<plan::Tensor> dwpe = {};  // (>= T, C), added to in the first T rows; not computed without
  // (2 * B * T) u32, where the forward had positions: `embedding_order` of them with T for Vp
  std::optional<plan::Tensor> position_order = {};
  float scale = 1;  // of the forward
};

/// The gradients of `embedding_forward`, without atomics: one workgroup sums the positions of a token, always
/// in the same order. Where positions restart, dwpe is made in the same way.
void embedding_backward(plan::PlanBuilder& builder, const EmbeddingBackward& args);

/// What `EmbeddingBackward::order` holds for `tokens` (B * T) and dx (B, T, C) of `dtype`: for each slice of
/// rows of dx that the device binds at once the positions in the slice, by (token, position), then their
/// tokens. Tokens outside of the `Vp` rows of the table count as its last one. By counting: O(B T + Vp).
std::vector<std::uint32_t> embedding_order(const vk::DeviceCaps& caps, std::span<const std::int32_t> tokens,
                                           std::int64_t C, DType dtype, std::int64_t Vp);

}  // namespace vkgpt::ops
