#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace vkgpt::model {

/// Rows of each head's first half beside those of its second: ggml rotates neighbours where Hugging Face
/// rotates halves. As its converter: reshape(H, 2, D / 2, ...).swapaxes(1, 2).
std::vector<float> pair_halves(std::span<const float> rows, std::int64_t heads, std::int64_t row_count);

}  // namespace vkgpt::model
