#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace vkgpt::text {

/// A token's bytes as GPT-2 writes them in vocabulary files: printable Latin-1 for itself, the others from
/// U+0100 on.
std::string to_byte_level(std::string_view bytes);
/// The inverse; nothing where a character stands for no byte.
std::optional<std::string> from_byte_level(std::string_view characters);

/// GPT-2's order of single bytes: the printable ones first, then the others (256).
std::span<const unsigned char> byte_level_order();

}  // namespace vkgpt::text
