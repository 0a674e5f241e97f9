#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "vkgpt/core/check.hpp"
#include "vkgpt/ops/launch.hpp"

namespace vkgpt::ops {

constexpr std::int64_t kMaskBlock = 64;  // elements to a bit of a mask
constexpr std::int64_t kMaskWordBits = 32;

/// Words of a mask over `elements`.
constexpr std::int64_t mask_words(std::int64_t elements) {
  return (elements + kMaskBlock * kMaskWordBits - 1) / (kMaskBlock * kMaskWordBits);
}

/// The bit of an element with which a slice begins. Kernels count from it: arenas may have more than 2^32
/// elements.
inline std::int64_t mask_bit(std::int64_t first) {
  VKGPT_CHECK(first % kMaskBlock == 0, "a slice from element {}", first);
  return first / kMaskBlock;
}

/// Checks what every optimizer gets: f32 `arenas` of one shape (n), its masks, and the state of
/// `global_norm`.
inline void check_optimizer(std::int64_t n, std::span<const plan::Tensor* const> arenas,
                            const plan::Tensor& decay, const std::optional<plan::Tensor>& active,
                            const plan::Tensor& norm) {
  for (const plan::Tensor* t : arenas) {
    VKGPT_CHECK(t->shape == Shape{n} && t->dtype == DType::kF32, "{} beside {} weights", t->shape.to_string(),
                n);
  }
  VKGPT_CHECK(decay.shape == Shape{mask_words(n)}, "decay {}", decay.shape.to_string());
  VKGPT_CHECK(!active || active->shape == decay.shape, "active {}", active->shape.to_string());
  VKGPT_CHECK(norm.shape == Shape{4}, "norm {}", norm.shape.to_string());
}

}  // namespace vkgpt::ops
