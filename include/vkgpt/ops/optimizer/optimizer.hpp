#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <vector>

#include "vkgpt/ops/launch.hpp"
#include "vkgpt/plan/plan_builder.hpp"

namespace vkgpt::ops {

/// A mask of the elements of a parameter arena that decay, those of the ranges `decayed`: a constant
/// (ceil(elements / 2048)) u32, one bit for each 64 elements, since every parameter starts on 256 bytes.
plan::Tensor decay_bits(plan::PlanBuilder& builder, std::int64_t elements, std::span<const Slice> decayed);

/// A mask, in the same format, of the elements that an optimizer owns where another owns the rest.
plan::Tensor active_bits(plan::PlanBuilder& builder, std::int64_t elements, std::span<const Slice> active);

/// Their contents. A range starts at a multiple of 64 and owns the rest of its last 64 elements.
std::vector<std::uint32_t> make_decay_bits(std::int64_t elements, std::span<const Slice> decayed);

/// The flat arenas of an optimizer that treats elements one by one.
struct OptimizerArenas {
  plan::Tensor weights;                     // (N), in and out
  plan::Tensor gradients;                   // (N), before clipping
  plan::Tensor m;                           // (N), in and out, zeros at first
  std::optional<plan::Tensor> v = {};       // (N), the same: of optimizers with a second moment
  plan::Tensor decay;                       // see `decay_bits`
  plan::Tensor norm;                        // see `global_norm`: clip scale and skip flag
  std::optional<plan::Tensor> active = {};  // see `active_bits`; without it all of the arena
  std::optional<plan::Tensor> copy = {};    // (N), f16 or bf16, out: the new weights, rounded; of AdamW alone
};

/// The kernel of such an optimizer. Its bindings: weights, gradients, m, v where there is one, decay, norm,
/// step parameters, and as ACTIVE the mask of those elements that are not another's, as COPY the copy of type
/// DTYPE. Its push constants: elements of the slice, the place of the first one's bit in the masks,
/// `constants`.
struct ElementwiseUpdate {
  const char* stem;
  std::initializer_list<double> constants;
  std::int64_t flops;    // an element
  bool is_wide = false;  // WIDTH elements at a time: shaders/include/wide_f32.glsl
};

/// One step of it over all of the arenas, slice by slice.
void elementwise_update(plan::PlanBuilder& builder, const OptimizerArenas& arenas,
                        const ElementwiseUpdate& update);

/// Constants of a run. What a schedule changes is in StepParams: learning rate and bias corrections.
struct AdamW {
  double beta1 = 0.9;
  double beta2 = 0.95;
  double eps = 1e-8;
  double weight_decay = 0.1;
};

/// One step of AdamW (Loshchilov and Hutter, arXiv:1711.05101) over flat arenas as torch.optim.AdamW does it:
/// w -= lr * (m_hat / (sqrt(v_hat) + eps) + weight_decay * w) with clipped gradients. When the skip flag is
/// set, weights, moments and copy keep every bit; so do elements that are not active.
void optimizer_adamw(plan::PlanBuilder& builder, const OptimizerArenas& arenas, const AdamW& constants);

}  // namespace vkgpt::ops
