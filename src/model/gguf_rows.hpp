#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace vkgpt::model {

/// Rows of each head's first half beside those of its second: ggml rotates neighbours where Hugging Face
/// rotates halves. As its converter: reshape(H, 2, D / 2, ...).swapaxes(1, 2).
std::vector<float> pair_halves(std::span<const float> rows, std::int64_t heads, std::int64_t row_count);

/// The row that `pair_halves` made row `row` of, where a head has so many rows.
std::int64_t halved_row(std::int64_t row, std::int64_t head_size);
/// What `pair_halves` made these rows of.
std::vector<float> halve_pairs(std::span<const float> rows, std::int64_t heads, std::int64_t row_count);

}  // namespace vkgpt::model
