#include "model/gguf_blocks.hpp"

#include "vkgpt/core/check.hpp"

namespace vkgpt::model {
namespace {

constexpr std::size_t kValues = 32;  // of a block
constexpr std::size_t kScaleBytes = 2;

std::uint32_t byte_at(std::span<const std::byte> bytes, std::size_t i) {
  return std::to_integer<std::uint32_t>(bytes[i]);
}

/// Quant `i` of a block, as it goes into a word.
std::uint32_t quant_at(BlockType type, std::span<const std::byte> quants, std::size_t i) {
  if (type == BlockType::kQ8_0) return byte_at(quants, i);
  // A byte has a number of each half.
  return byte_at(quants, i % (kValues / 2)) >> (i < kValues / 2 ? 0U : 4U) & 15U;
}

}  // namespace

std::optional<BlockType> ggml_block_type(std::uint32_t ggml_type) {
  if (ggml_type == 8) return BlockType::kQ8_0;
  if (ggml_type == 2) return BlockType::kQ4_0;
  return std::nullopt;
}

std::size_t ggml_block_bytes(BlockType type) {
  return kScaleBytes + kValues / (type == BlockType::kQ8_0 ? 1 : 2);
}

void place_ggml_blocks(BlockType type, std::span<const std::byte> bytes, std::size_t first,
                       std::span<std::uint32_t> quants, std::span<std::uint32_t> scales) {
  VKGPT_CHECK(type == BlockType::kQ8_0 || type == BlockType::kQ4_0, "{}", block_format(type).name);
  const std::size_t block_bytes = ggml_block_bytes(type), per_word = block_format(type).per_word;
  const std::size_t words = kValues / per_word, bits = 32 / per_word;
  for (std::size_t block = 0; block * block_bytes < bytes.size(); ++block) {
    const std::span<const std::byte> own = bytes.subspan(block * block_bytes, block_bytes);
    const std::size_t to = first + block;
    const std::uint32_t scale = byte_at(own, 0) | byte_at(own, 1) << 8U;
    const std::size_t shift = to % 2 * 16;
    scales[to / 2] = (scales[to / 2] & ~(0xffffU << shift)) | scale << shift;
    for (std::size_t word = 0; word < words; ++word) {
      std::uint32_t value = 0;
      for (std::size_t i = 0; i < per_word; ++i) {
        value |= quant_at(type, own.subspan(kScaleBytes), word * per_word + i) << (i * bits);
      }
      quants[to * words + word] = value;
    }
  }
}

}  // namespace vkgpt::model
