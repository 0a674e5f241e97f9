#include "vkgpt/core/q8_0.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

#include "vkgpt/core/half.hpp"

namespace vkgpt {

Q80Block quantize_q8_0(std::span<const float, Q80Block::kValues> values) {
  float largest = 0;
  for (const float value : values) largest = std::max(largest, std::fabs(value));
  const float scale = largest / 127.0F;
  Q80Block block;
  block.scale = float_to_f16(scale);
  // The inverse of a scale below 2^-127 may overflow; such a scale rounds to 0, and so do the numbers.
  const bool has_inverse = std::bit_cast<std::uint32_t>(scale) >= 0x00400000U;
  if (!has_inverse) return block;
  const float inverse = 1.0F / scale;
  for (std::size_t i = 0; i < values.size(); ++i) {
    block.values[i] = static_cast<std::int8_t>(std::round(values[i] * inverse));
  }
  return block;
}

void dequantize_q8_0(const Q80Block& block, std::span<float, Q80Block::kValues> values) {
  const float scale = f16_to_float(block.scale);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = scale * static_cast<float>(block.values[i]);
}

}  // namespace vkgpt
