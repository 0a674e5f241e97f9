#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace vkgpt {

/// Types of numbers in few bits. Neighbours share a scale and lie in a block: ggml's Q8_0 (scale times -127
/// to 127) and Q4_0 (times -8 to 7), and NF4 (times one of 16 levels: Dettmers et al., arXiv:2305.14314), as
/// bitsandbytes has it. f16 and bf16 need no scale: they are here for matrices that are read as blocks are.
/// The numbers are those of shaders/include/blocks.glsl.
enum class BlockType { kQ8_0 = 1, kQ4_0 = 2, kNF4 = 3, kF16 = 4, kBF16 = 5 };

/// A matrix in blocks has two planes of 32-bit words: the quants, in the order of the numbers, the first one
/// low; and the scales, of f32 or two of f16 in a word. The bits are those of the libraries' blocks.
struct BlockFormat {
  std::string_view name;    // "q8_0", "q4_0", "nf4", "f16", "bf16"
  std::size_t values;       // numbers of a block
  std::size_t per_word;     // quants in a word
  std::size_t scale_bytes;  // 2 (f16), 4 (f32) or 0 (none)

  /// Words of the planes of `count` numbers, whole blocks.
  std::size_t quant_words(std::size_t count) const { return count / per_word; }
  std::size_t scale_words(std::size_t count) const { return (count / values * scale_bytes + 3) / 4; }
};

const BlockFormat& block_format(BlockType type);

/// The type of that name; nothing for another.
std::optional<BlockType> find_block_type(std::string_view name);

/// Quantizes `values`, whole blocks of finite numbers, bit for bit as the library does. What is beyond
/// binary16 becomes an infinity.
void encode_blocks(BlockType type, std::span<const float> values, std::span<std::uint32_t> quants,
                   std::span<std::uint32_t> scales);

/// The numbers that the planes stand for.
void decode_blocks(BlockType type, std::span<const std::uint32_t> quants,
                   std::span<const std::uint32_t> scales, std::span<float> values);

/// Whether all that the planes stand for is finite.
bool is_finite(BlockType type, std::span<const std::uint32_t> quants, std::span<const std::uint32_t> scales);

}  // namespace vkgpt
