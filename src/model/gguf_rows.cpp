#include "model/gguf_rows.hpp"

#include <algorithm>
#include <cstddef>

namespace vkgpt::model {
namespace {

void copy_row(std::span<const float> from, std::int64_t from_row, std::span<float> to, std::int64_t to_row,
              std::int64_t width) {
  std::ranges::copy(from.subspan(static_cast<std::size_t>(from_row * width), static_cast<std::size_t>(width)),
                    to.begin() + to_row * width);
}

}  // namespace

std::int64_t halved_row(std::int64_t row, std::int64_t head_size) {
  const std::int64_t in_head = row % head_size;
  return row - in_head + in_head % 2 * (head_size / 2) + in_head / 2;
}

std::vector<float> pair_halves(std::span<const float> rows, std::int64_t heads, std::int64_t row_count) {
  const std::int64_t width = std::ssize(rows) / row_count, head_size = row_count / heads;
  std::vector<float> paired(rows.size());
  for (std::int64_t row = 0; row < row_count; ++row) {
    copy_row(rows, halved_row(row, head_size), paired, row, width);
  }
  return paired;
}

std::vector<float> halve_pairs(std::span<const float> rows, std::int64_t heads, std::int64_t row_count) {
  const std::int64_t width = std::ssize(rows) / row_count, head_size = row_count / heads;
  std::vector<float> halves(rows.size());
  for (std::int64_t row = 0; row < row_count; ++row) {
    copy_row(rows, row, halves, halved_row(row, head_size), width);
  }
  return halves;
}

}  // namespace vkgpt::model
