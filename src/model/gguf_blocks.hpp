#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "vkgpt/core/blocks.hpp"

namespace vkgpt::model {

/// The type of blocks that ggml's type of this number is: Q8_0 and Q4_0; nothing for others.
std::optional<BlockType> ggml_block_type(std::uint32_t ggml_type);

/// Bytes of one of its blocks in a file: the scale, then the quants.
std::size_t ggml_block_bytes(BlockType type);

/// Takes ggml's blocks apart into the planes of core/blocks.hpp, from block `first` of these on. No number is
/// changed: scales keep their bits, quants their values, which Q4_0's files hold in another order.
void place_ggml_blocks(BlockType type, std::span<const std::byte> bytes, std::size_t first,
                       std::span<std::uint32_t> quants, std::span<std::uint32_t> scales);

}  // namespace vkgpt::model
