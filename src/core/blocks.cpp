#include "vkgpt/core/blocks.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>

#include "vkgpt/core/check.hpp"
#include "vkgpt/core/half.hpp"
#include "vkgpt/core/q8_0.hpp"

namespace vkgpt {
namespace {

constexpr std::array<BlockFormat, 5> kFormats = {
    {{"q8_0", 32, 4, 2}, {"q4_0", 32, 8, 2}, {"nf4", 64, 8, 4}, {"f16", 8, 2, 0}, {"bf16", 8, 2, 0}}};

/// The levels of NF4, quantiles of a normal distribution.
constexpr std::array<float, 16> kNf4 = {
    -1.0F,
    -0.6961928009986877F,
    -0.5250730514526367F,
    -0.39491748809814453F,
    -0.28444138169288635F,
    -0.18477343022823334F,
    -0.09105003625154495F,
    0.0F,
    0.07958029955625534F,
    0.16093020141124725F,
    0.24611230194568634F,
    0.33791524171829224F,
    0.44070982933044434F,
    0.5626170039176941F,
    0.7229568362236023F,
    1.0F,
};

/// A block's quants as they go into words, and its scale's bits.
struct Block {
  std::array<std::uint32_t, 64> quants{};
  std::uint32_t scale = 0;
};

Block quantize_q8(std::span<const float> values) {
  const Q80Block quantized = quantize_q8_0(values.first<Q80Block::kValues>());
  Block block{.scale = quantized.scale};
  for (std::size_t i = 0; i < values.size(); ++i) {
    block.quants[i] = static_cast<std::uint8_t>(quantized.values[i]);
  }
  return block;
}

/// ggml's reference: the number of the largest magnitude, with its sign, becomes -8 times the scale. Whether
/// its product and sum are rounded in between is up to compilers; here they are not, as in the Python package
/// gguf.
Block quantize_q4(std::span<const float> values) {
  float extreme = 0;
  for (const float value : values) {
    if (std::fabs(value) > std::fabs(extreme)) extreme = value;
  }
  const float scale = extreme / -8.0F;
  Block block{.scale = float_to_f16(scale)};
  const bool has_inverse = std::isnormal(scale);
  const float inverse = has_inverse ? 1.0F / scale : 0.0F;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const auto shifted = static_cast<float>(double{values[i]} * inverse + 8.5);
    block.quants[i] = static_cast<std::uint32_t>(std::min(15, static_cast<int>(shifted)));
  }
  return block;
}

/// The level next to a number in [-1, 1]: as many as have their upper border below it.
std::uint32_t nearest_nf4(float value) {
  std::uint32_t level = 0;
  for (std::size_t i = 0; i + 1 < kNf4.size(); ++i) {
    const auto border = static_cast<float>((double{kNf4[i]} + double{kNf4[i + 1]}) / 2);
    level += value > border ? 1 : 0;
  }
  return level;
}

Block quantize_nf4(std::span<const float> values) {
  float largest = 0;
  for (const float value : values) largest = std::max(largest, std::fabs(value));
  Block block{.scale = std::bit_cast<std::uint32_t>(largest)};
  const float inverse = std::isnormal(largest) ? 1.0F / largest : 0.0F;
  for (std::size_t i = 0; i < values.size(); ++i) block.quants[i] = nearest_nf4(values[i] * inverse);
  return block;
}

Block rounded(std::span<const float> values, BlockType type) {
  Block block;
  std::ranges::transform(values, block.quants.begin(), [&](float value) -> std::uint32_t {
    return type == BlockType::kF16 ? float_to_f16(value) : float_to_bf16(value);
  });
  return block;
}

Block quantize(BlockType type, std::span<const float> values) {
  switch (type) {
    case BlockType::kQ8_0:
      return quantize_q8(values);
    case BlockType::kQ4_0:
      return quantize_q4(values);
    case BlockType::kNF4:
      return quantize_nf4(values);
    case BlockType::kF16:
    case BlockType::kBF16:
      return rounded(values, type);
  }
  VKGPT_CHECK(false, "block type {}", static_cast<int>(type));
}

float scale_at(const BlockFormat& format, std::span<const std::uint32_t> scales, std::size_t block) {
  if (format.scale_bytes == 0) return 1;
  if (format.scale_bytes == 4) return std::bit_cast<float>(scales[block]);
  return f16_to_float(static_cast<std::uint16_t>(scales[block / 2] >> (block % 2 * 16)));
}

float level_of(BlockType type, std::uint32_t quant) {
  switch (type) {
    case BlockType::kQ8_0:
      return static_cast<float>(static_cast<std::int8_t>(quant & 0xffU));
    case BlockType::kQ4_0:
      return static_cast<float>(static_cast<int>(quant & 15U) - 8);
    case BlockType::kNF4:
      return kNf4[quant & 15U];
    case BlockType::kF16:
      return f16_to_float(static_cast<std::uint16_t>(quant));
    case BlockType::kBF16:
      return bf16_to_float(static_cast<std::uint16_t>(quant));
  }
  VKGPT_CHECK(false, "block type {}", static_cast<int>(type));
}

void check_planes(const BlockFormat& format, std::size_t values, std::size_t quants, std::size_t scales) {
  VKGPT_CHECK(values % format.values == 0 && quants == format.quant_words(values) &&
                  scales == format.scale_words(values),
              "{} numbers of {} in {} and {} words", values, format.name, quants, scales);
}

}  // namespace

const BlockFormat& block_format(BlockType type) {
  return kFormats.at(static_cast<std::size_t>(type) - 1);
}

std::optional<BlockType> find_block_type(std::string_view name) {
  const auto* found = std::ranges::find(kFormats, name, &BlockFormat::name);
  if (found == kFormats.end()) return std::nullopt;
  return static_cast<BlockType>(found - kFormats.begin() + 1);
}

void encode_blocks(BlockType type, std::span<const float> values, std::span<std::uint32_t> quants,
                   std::span<std::uint32_t> scales) {
  const BlockFormat& format = block_format(type);
  check_planes(format, values.size(), quants.size(), scales.size());
  std::ranges::fill(quants, 0U);
  std::ranges::fill(scales, 0U);
  const std::size_t bits = 32 / format.per_word;
  for (std::size_t first = 0; first < values.size(); first += format.values) {
    const std::span<const float> numbers = values.subspan(first, format.values);
    const Block block = quantize(type, numbers);
    for (std::size_t i = 0; i < format.values; ++i) {
      const std::size_t at = first + i;
      quants[at / format.per_word] |= block.quants[i] << (at % format.per_word * bits);
    }
    const std::size_t number = first / format.values;
    if (format.scale_bytes == 4) {
      scales[number] = block.scale;
    } else if (format.scale_bytes == 2) {
      scales[number / 2] |= block.scale << (number % 2 * 16);
    }
  }
}

void decode_blocks(BlockType type, std::span<const std::uint32_t> quants,
                   std::span<const std::uint32_t> scales, std::span<float> values) {
  const BlockFormat& format = block_format(type);
  check_planes(format, values.size(), quants.size(), scales.size());
  const std::size_t bits = 32 / format.per_word;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::uint32_t quant = quants[i / format.per_word] >> (i % format.per_word * bits);
    values[i] = scale_at(format, scales, i / format.values) * level_of(type, quant);
  }
}

bool is_finite(BlockType type, std::span<const std::uint32_t> quants, std::span<const std::uint32_t> scales) {
  const auto is_finite_f32 = [](std::uint32_t bits) { return (bits & 0x7f800000U) != 0x7f800000U; };
  const auto has_finite_f16 = [](std::uint32_t word) {
    return (word & 0x7c00U) != 0x7c00U && (word & 0x7c000000U) != 0x7c000000U;
  };
  const auto has_finite_bf16 = [&](std::uint32_t word) {
    return is_finite_f32(word) && is_finite_f32(word << 16U);
  };
  if (type == BlockType::kF16) return std::ranges::all_of(quants, has_finite_f16);
  if (type == BlockType::kBF16) return std::ranges::all_of(quants, has_finite_bf16);
  if (type == BlockType::kNF4) return std::ranges::all_of(scales, is_finite_f32);
  return std::ranges::all_of(scales, has_finite_f16);
}

}  // namespace vkgpt
