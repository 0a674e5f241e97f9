#include "vkgpt/ops/matmul/matmul_kernel.hpp"

#include <algorithm>
#include <vector>

#include "vkgpt/core/format.hpp"

#include "ops/matmul/matmul_words.hpp"

namespace vkgpt::ops {

std::string to_string(const MatmulKernel& kernel) {
  std::string text(vk::backend_name(kernel.backend));
  if (kernel.rows != 0) text += vkgpt::format(" {}x{}x{}", kernel.rows, kernel.columns, kernel.depth);
  if (kernel.part_rows != 0) text += vkgpt::format(" {}x{}", kernel.part_rows, kernel.part_columns);
  if (kernel.lanes != 0) text += vkgpt::format(" l{}", kernel.lanes);
  if (kernel.buffers != 0) text += vkgpt::format(" b{}", kernel.buffers);
  if (kernel.k_splits != 1) text += vkgpt::format(" k{}", kernel.k_splits);
  return text;
}

std::optional<MatmulKernel> parse_matmul_kernel(std::string_view text) {
  const std::vector<std::string_view> words = split(text, ' ');
  const std::optional<vk::Backend> backend = vk::find_backend(words[0]);
  if (!backend) return std::nullopt;
  MatmulKernel kernel{.backend = *backend};
  auto word = words.begin() + 1;
  const auto take = [&](std::string_view prefix, std::size_t count) {
    std::vector<std::int64_t> none;
    if (word == words.end() || !word->starts_with(prefix)) return none;
    const auto sizes = parse_sizes(word->substr(prefix.size()), count);
    if (sizes) ++word;
    return sizes.value_or(none);
  };
  if (const auto tile = take("", 3); !tile.empty()) {
    kernel.rows = tile[0], kernel.columns = tile[1], kernel.depth = tile[2];
  }
  if (const auto part = take("", 2); !part.empty()) kernel.part_rows = part[0], kernel.part_columns = part[1];
  if (const auto lanes = take("l", 1); !lanes.empty()) kernel.lanes = lanes[0];
  if (const auto buffers = take("b", 1); !buffers.empty()) kernel.buffers = buffers[0];
  if (const auto splits = take("k", 1); !splits.empty()) kernel.k_splits = splits[0];
  return word == words.end() ? std::optional(kernel) : std::nullopt;
}

}  // namespace vkgpt::ops
