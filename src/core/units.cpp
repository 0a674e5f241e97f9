#include "vkgpt/core/units.hpp"

#include <array>
#include <cmath>
#include <string_view>

#include "vkgpt/core/format.hpp"

namespace vkgpt {

std::string format_bytes(std::uint64_t bytes) {
  constexpr std::array<std::string_view, 5> kUnits = {"B", "KiB", "MiB", "GiB", "TiB"};
  auto value = static_cast<double>(bytes);
  std::size_t unit = 0;
  while (value >= 1023.5 && unit + 1 < kUnits.size()) {
    value /= 1024;
    ++unit;
  }
  const double tenths = std::round(value * 10);
  const bool whole = value >= 99.95 || std::fmod(tenths, 10) == 0;
  return vkgpt::format("{:.{}f} {}", value, whole ? 0 : 1, kUnits[unit]);
}

}  // namespace vkgpt
