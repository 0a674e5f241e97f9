#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace vkgpt {

/// Insertions, deletions, substitutions and swaps of neighbours that turn `a` into `b` (optimal string
/// alignment).
std::size_t edit_distance(std::string_view a, std::string_view b);

/// The known word nearest to `word`; empty where none is near enough to be what was meant.
std::string nearest_word(std::string_view word, std::span<const std::string> known);

}  // namespace vkgpt
