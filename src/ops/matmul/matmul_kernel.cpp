#include "vkgpt/ops/matmul/matmul_kernel.hpp"

#include <array>
#include <charconv>
#include <format>
#include <vector>

namespace vkgpt::ops {
namespace {

/// The numbers of "128x64x16", exactly `count`; empty for anything else.
std::vector<std::uint32_t> sizes(std::string_view text, std::size_t count) {
  std::vector<std::uint32_t> values;
  while (true) {
    std::uint32_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || value == 0) return {};
    values.push_back(value);
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    if (text.empty()) break;
    if (text[0] != 'x') return {};
    text.remove_prefix(1);
  }
  return values.size() == count ? values : std::vector<std::uint32_t>{};
}

}  // namespace

std::string to_string(const MatmulKernel& kernel) {
  std::string text(vk::backend_name(kernel.backend));
  if (kernel.rows != 0) text += std::format(" {}x{}x{}", kernel.rows, kernel.columns, kernel.depth);
  if (kernel.part_rows != 0) text += std::format(" {}x{}", kernel.part_rows, kernel.part_columns);
  if (kernel.k_splits != 1) text += std::format(" k{}", kernel.k_splits);
  return text;
}

std::optional<MatmulKernel> parse_matmul_kernel(std::string_view text) {
  std::vector<std::string_view> words;
  for (std::size_t start = 0; start <= text.size();) {
    const std::size_t space = std::min(text.find(' ', start), text.size());
    words.push_back(text.substr(start, space - start));
    start = space + 1;
  }
  const std::optional<vk::Backend> backend = vk::find_backend(words[0]);
  if (!backend) return std::nullopt;
  MatmulKernel kernel{.backend = *backend};
  std::size_t next = 1;
  if (next < words.size()) {
    if (const auto tile = sizes(words[next], 3); !tile.empty()) {
      kernel.rows = tile[0], kernel.columns = tile[1], kernel.depth = tile[2];
      ++next;
    }
  }
  if (next < words.size()) {
    if (const auto part = sizes(words[next], 2); !part.empty()) {
      kernel.part_rows = part[0], kernel.part_columns = part[1];
      ++next;
    }
  }
  if (next < words.size() && words[next].starts_with('k')) {
    if (const auto splits = sizes(words[next].substr(1), 1); !splits.empty()) {
      kernel.k_splits = splits[0];
      ++next;
    }
  }
  return next == words.size() ? std::optional(kernel) : std::nullopt;
}

}  // namespace vkgpt::ops
