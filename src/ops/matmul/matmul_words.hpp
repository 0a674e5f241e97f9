#pragma once

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

// The texts of keys and kernels: words between spaces, and sizes such as "128x64x16".

namespace vkgpt::ops {

/// The parts of `text` between single separators, empty ones too.
inline std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (std::size_t start = 0; start <= text.size();) {
    const std::size_t end = std::min(text.find(separator, start), text.size());
    parts.push_back(text.substr(start, end - start));
    start = end + 1;
  }
  return parts;
}

/// "128x64x16" as exactly `count` positive numbers; nothing for any other text.
inline std::optional<std::vector<std::int64_t>> parse_sizes(std::string_view text, std::size_t count) {
  std::vector<std::int64_t> sizes;
  for (const std::string_view part : split(text, 'x')) {
    std::int64_t size = 0;
    const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), size);
    if (error != std::errc{} || end != part.data() + part.size() || size < 1) return std::nullopt;
    sizes.push_back(size);
  }
  return sizes.size() == count ? std::optional(sizes) : std::nullopt;
}

}  // namespace vkgpt::ops
