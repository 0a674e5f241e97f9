#pragma once

#include "vkgpt/check/trial.hpp"
#include "vkgpt/core/blocks.hpp"
#include "vkgpt/ops/weight.hpp"

namespace vkgpt::check {

/// A random matrix in blocks, and the numbers that it stands for.
struct BlockOperand {
  ops::Weight weight;
  Vector values;
};

BlockOperand random_blocks(Trial& t, BlockType type, const Shape& shape, std::uint64_t seed);

inline constexpr BlockType kBlockTypes[] = {BlockType::kQ8_0, BlockType::kQ4_0, BlockType::kNF4,
                                            BlockType::kF16, BlockType::kBF16};

}  // namespace vkgpt::check
