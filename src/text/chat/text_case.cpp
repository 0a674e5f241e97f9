#include "text/chat/text_case.hpp"

#include <algorithm>
#include <string>
#include <utility>

#include <utf8proc.h>

#include "vkgpt/core/utf8.hpp"

namespace vkgpt::text::jinja {
namespace {

/// `convert` of each character; it is told whether the character begins a word.
template <typename Convert>
Text converted(const Text& text, Heap& heap, const Convert& convert) {
  heap.step(text.size() / 4);
  TextBuilder out(heap);
  bool in_word = false;
  for (std::size_t at = 0; at < text.size();) {
    const Utf8Char character = decode_utf8(text.bytes, at);
    std::string bytes;
    append_utf8(bytes, convert(character.code_point, !in_word));
    out.append(bytes, text.marks_at(at));
    const auto category = utf8proc_category(static_cast<utf8proc_int32_t>(character.code_point));
    in_word = category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_LO;
    at += std::max<std::size_t>(1, character.length);
  }
  return out.finish();
}

char32_t to_upper(char32_t c) {
  return static_cast<char32_t>(utf8proc_toupper(static_cast<utf8proc_int32_t>(c)));
}
char32_t to_lower(char32_t c) {
  return static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(c)));
}

/// Whether there are characters and all satisfy `test`.
template <typename Test>
bool all_are(const Text& text, Heap& heap, const Test& test) {
  heap.step(text.size() / 4);
  for (std::size_t at = 0; at < text.size(); at += character_length(text.bytes, at)) {
    if (!test(decode_utf8(text.bytes, at).code_point)) return false;
  }
  return text.size() > 0;
}
bool is_letter(char32_t c) {
  const auto category = utf8proc_category(static_cast<utf8proc_int32_t>(c));
  return category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_LO;
}
bool is_decimal(char32_t c) {
  return utf8proc_category(static_cast<utf8proc_int32_t>(c)) == UTF8PROC_CATEGORY_ND;
}
}  // namespace

Text upper_case(const Text& text, Heap& heap) {
  return converted(text, heap, [](char32_t c, bool) { return to_upper(c); });
}

Text lower_case(const Text& text, Heap& heap) {
  return converted(text, heap, [](char32_t c, bool) { return to_lower(c); });
}

Text capitalized(const Text& text, Heap& heap) {
  bool first = true;
  return converted(text, heap,
                   [&](char32_t c, bool) { return std::exchange(first, false) ? to_upper(c) : to_lower(c); });
}

Text titled(const Text& text, Heap& heap) {
  return converted(text, heap, [](char32_t c, bool begins) { return begins ? to_upper(c) : to_lower(c); });
}

bool is_alpha(const Text& text, Heap& heap) {
  return all_are(text, heap, is_letter);
}
bool is_digit(const Text& text, Heap& heap) {
  return all_are(text, heap, is_decimal);
}
bool is_alnum(const Text& text, Heap& heap) {
  return all_are(text, heap, [](char32_t c) { return is_letter(c) || is_decimal(c); });
}
bool is_space(const Text& text, Heap& heap) {
  return all_are(text, heap, is_python_space);
}
bool is_upper(const Text& text, Heap& heap) {
  return lower_case(text, heap).bytes != text.bytes && upper_case(text, heap).bytes == text.bytes;
}
bool is_lower(const Text& text, Heap& heap) {
  return upper_case(text, heap).bytes != text.bytes && lower_case(text, heap).bytes == text.bytes;
}

}  // namespace vkgpt::text::jinja
