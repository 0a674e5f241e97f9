#include "text/chat/marked_text.hpp"

#include <algorithm>

#include "vkgpt/core/utf8.hpp"

namespace vkgpt::text::jinja {
namespace {

/// Whether `character` (its bytes) is to go.
bool is_of(std::string_view character, const std::string_view* set) {
  if (set == nullptr) return is_python_space(decode_utf8(character, 0).code_point);
  for (std::size_t at = 0; at < set->size();) {
    const std::size_t length = character_length(*set, at);
    if (set->substr(at, length) == character) return true;
    at += length;
  }
  return false;
}

}  // namespace

bool is_python_space(char32_t character) {
  switch (character) {
    case 0x20:
    case 0x85:
    case 0xa0:
    case 0x1680:
    case 0x2028:
    case 0x2029:
    case 0x202f:
    case 0x205f:
    case 0x3000:
      return true;
    default:
      return (character >= 0x09 && character <= 0x0d) || (character >= 0x1c && character <= 0x1f) ||
             (character >= 0x2000 && character <= 0x200a);
  }
}

std::size_t character_length(std::string_view text, std::size_t at) {
  return std::max<std::size_t>(1, decode_utf8(text, at).length);
}

std::int64_t count_characters(std::string_view text) {
  return std::ranges::count_if(text,
                               [](char byte) { return (static_cast<unsigned char>(byte) & 0xc0U) != 0x80U; });
}

std::size_t character_offset(std::string_view text, std::int64_t index) {
  std::size_t at = 0;
  for (; index > 0 && at < text.size(); --index) at += character_length(text, at);
  return at;
}

Text strip_left(Text text, const std::string_view* set) {
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t length = character_length(text.bytes, at);
    if (!is_of(text.bytes.substr(at, length), set)) break;
    at += length;
  }
  return text.part(at);
}

Text strip_right(Text text, const std::string_view* set) {
  std::size_t end = text.size();
  while (end > 0) {
    std::size_t at = end - 1;
    while (at > 0 && (static_cast<unsigned char>(text.bytes[at]) & 0xc0U) == 0x80U) --at;
    if (!is_of(text.bytes.substr(at, end - at), set)) break;
    end = at;
  }
  return text.part(0, end);
}

}  // namespace vkgpt::text::jinja
