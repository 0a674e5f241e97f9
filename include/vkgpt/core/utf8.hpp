#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace vkgpt {

/// One decoded character; `length` is its bytes, 0 where the bytes are not valid UTF-8.
struct Utf8Char {
  char32_t code_point = 0;
  std::size_t length = 0;
};

/// Decodes the character that starts at `text[at]`. Overlong forms, surrogates and values above U+10FFFF are
/// invalid, as Unicode's table 3-7 says.
Utf8Char decode_utf8(std::string_view text, std::size_t at);

/// Appends the UTF-8 form of `code_point`.
void append_utf8(std::string& out, char32_t code_point);

/// The offset of the first byte that is not valid UTF-8, or `npos`.
std::size_t find_invalid_utf8(std::string_view text);

/// Bytes of `text` before a character that has begun at its end and is not complete yet (at most 3 bytes are
/// left out). Bytes that can never become valid count as complete.
std::size_t complete_utf8_prefix(std::string_view text);

/// `text` with every maximal invalid run of bytes replaced by U+FFFD.
std::string replace_invalid_utf8(std::string_view text);

/// `text` for a message: on one line, control and bidirectional characters and invalid bytes as \xNN, at most
/// `max_chars` characters followed by "..." where more were left out.
std::string printable(std::string_view text, std::size_t max_chars = 60);

/// All of `text` with the same characters escaped, but for line ends and tabs.
std::string printable_lines(std::string_view text);

}  // namespace vkgpt
