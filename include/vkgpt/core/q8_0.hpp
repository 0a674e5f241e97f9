#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace vkgpt {

/// A block of ggml's Q8_0 quantization: 32 numbers as `scale` times -127 to 127.
struct Q80Block {
  static constexpr std::size_t kValues = 32;

  std::uint16_t scale = 0;  // binary16
  std::array<std::int8_t, kValues> values{};
};
static_assert(sizeof(Q80Block) == 34, "files hold blocks as they lie in memory");

/// The block that ggml's reference quantization makes of 32 finite numbers, bit for bit: the scale is the
/// largest magnitude / 127, values are rounded half away from zero by the scale before it is itself rounded.
/// A scale beyond binary16 becomes an infinity.
Q80Block quantize_q8_0(std::span<const float, Q80Block::kValues> values);

/// The 32 numbers that the block encodes.
void dequantize_q8_0(const Q80Block& block, std::span<float, Q80Block::kValues> values);

}  // namespace vkgpt
