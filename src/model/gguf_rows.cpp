#include "model/gguf_rows.hpp"

#include <algorithm>
#include <cstddef>

namespace vkgpt::model {

std::vector<float> pair_halves(std::span<const float> rows, std::int64_t heads, std::int64_t row_count) {
  const std::size_t width = rows.size() / static_cast<std::size_t>(row_count);
  const auto head_size = static_cast<std::size_t>(row_count / heads);
  std::vector<float> paired(rows.size());
  for (std::size_t row = 0; row < static_cast<std::size_t>(row_count); ++row) {
    const std::size_t head = row / head_size;
    const std::size_t in_head = row % head_size;
    const std::size_t half = in_head % 2;
    const std::size_t from = head * head_size + half * (head_size / 2) + in_head / 2;
    std::ranges::copy(rows.subspan(from * width, width),
                      paired.begin() + static_cast<std::ptrdiff_t>(row * width));
  }
  return paired;
}

}  // namespace vkgpt::model
