#pragma once

#include "vkgpt/plan/plan_builder.hpp"

namespace vkgpt::ops {

/// How values travel between devices.
enum class Wire { kF32, kBF16 };

/// Words for each `values` on the wire: all of them, or half as many.
constexpr std::int64_t wire_words(std::int64_t values, Wire wire) {
  return wire == Wire::kBF16 ? values / 2 : values;
}

/// words = values as they travel; values (n) of 32 bits, words (wire_words(n)) u32, n even for bf16. With f32
/// it is a copy of any 32-bit tensor to any other, bit for bit.
void exchange_pack(plan::PlanBuilder& builder, const plan::Tensor& values, const plan::Tensor& words,
                   Wire wire = Wire::kF32);

/// sum = ((sum + w_0) + w_1) + ... over the contributions in `words` (at most, wire_words(n)) u32, one after
/// another; sum (n) f32. `control` (2) u32 holds how many there are and 1 where sum starts from zero.
void exchange_fold(plan::PlanBuilder& builder, const plan::Tensor& words, const plan::Tensor& control,
                   const plan::Tensor& sum, Wire wire = Wire::kF32);

}  // namespace vkgpt::ops
