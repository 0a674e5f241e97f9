#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "vkgpt/core/check.hpp"
#include "vkgpt/ops/launch.hpp"

namespace vkgpt::ops {

/// Words of a mask with one bit for each 64 of `elements`.
constexpr std::int64_t mask_words(std::int64_t elements) {
  return (elements + 2047) / 2048;
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
