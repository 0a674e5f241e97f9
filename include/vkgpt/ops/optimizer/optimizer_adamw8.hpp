#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "vkgpt/ops/launch.hpp"
#include "vkgpt/ops/optimizer/optimizer.hpp"
#include "vkgpt/plan/plan_builder.hpp"

namespace vkgpt::ops {

/// Elements that share a scale: a block. Arenas are whole blocks and a block belongs to one tensor.
inline constexpr std::int64_t kAdamW8Block = 256;
/// Tensors with fewer elements keep moments in fp32.
inline constexpr std::int64_t kAdamW8MinElements = 4096;

/// The 256 values in [-1, 1], or [0, 1], that a code stands for, ascending: dynamic quantization (Dettmers,
/// arXiv:1511.04561; with a free exponent, arXiv:2110.02861) as bitsandbytes maps it. Decade d of seven,
/// (10^(d-7), 10^(d-6)], d = 0..6, has its tenth to its whole cut into 2^d equal cells (2^(d+1) unsigned),
/// whose middles are values, with either sign; and there are 0 and 1.
std::array<float, 256> adamw8_values(bool is_signed);

struct OptimizerAdamW8 {
  plan::Tensor weights;            // (N), in and out; N is a multiple of 256
  plan::Tensor gradients;          // (N), before clipping
  plan::Tensor decay;              // see `decay_bits`
  plan::Tensor norm;               // see `global_norm`: clip scale and skip flag
  std::span<const Slice> tensors;  // of the arenas, ascending, each from a multiple of 256
};

/// One step of AdamW (see `optimizer_adamw`) over `tensors` with both moments in 8 bits and a scale, the
/// largest magnitude, for each block (Dettmers et al., arXiv:2110.02861): 2.03 bytes a parameter. The weights
/// see the moments before they are rounded. A second moment that is not zero never becomes zero, so that no
/// first moment is divided by eps alone. Small tensors have both moments in fp32.
///
/// State, of `Role::kOptimizer`, zeros at first: "adamw8_codes" (blocks, 2, 64) u32, four codes a word, first
/// m then v; "adamw8_scales" (blocks, 2); "adamw8_small_m", "adamw8_small_v" (elements of small tensors, each
/// filled up to a multiple of 256). When the skip flag is set, weights and state keep every bit.
void optimizer_adamw8(plan::PlanBuilder& builder, const OptimizerAdamW8& args, const AdamW& constants);

}  // namespace vkgpt::ops
