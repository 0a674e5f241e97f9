#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace vkgpt::text {

/// What split patterns tell apart, one bit each; a character has exactly one.
enum CharClass : std::uint8_t {
  kUpper = 1,        // \p{Lu}, \p{Lt}
  kLower = 2,        // \p{Ll}
  kCaseless = 4,     // \p{Lm}, \p{Lo}
  kMark = 8,         // \p{M}
  kNumber = 16,      // \p{N}
  kSpace = 32,       // \s without the next
  kNewline = 64,     // \r, \n
  kOtherChar = 128,  // the rest, and every byte that is not part of valid UTF-8
  kLetter = kUpper | kLower | kCaseless,
  kWhite = kSpace | kNewline,
  kSymbol = kMark | kOtherChar,  // [^\s\p{L}\p{N}]
};

/// A character of a text; an invalid byte counts as one.
struct ClassedChar {
  std::uint8_t bits = 0;  // a CharClass
  std::uint8_t length = 0;
};

/// The class of every code point (0x110000).
const std::uint8_t* char_class_table();

/// Run lengths that the table is made from: length * 256 + class, from U+0000 on.
std::span<const std::uint32_t> char_class_runs();

/// The character at `text[at]` (at < text.size()), with `table` from `char_class_table`.
ClassedChar classed_char(std::string_view text, std::size_t at, const std::uint8_t* table);

/// The character that ends before `text[at]` (at > 0).
ClassedChar classed_char_before(std::string_view text, std::size_t at, const std::uint8_t* table);

}  // namespace vkgpt::text
