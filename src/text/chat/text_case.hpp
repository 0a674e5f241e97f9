#pragma once

#include "text/chat/heap.hpp"

namespace vkgpt::text::jinja {

// Python's str methods on the case and the kinds of characters, with Unicode's simple mappings of one
// character to one.

Text upper_case(const Text& text, Heap& heap);
Text lower_case(const Text& text, Heap& heap);
Text capitalized(const Text& text, Heap& heap);
Text titled(const Text& text, Heap& heap);

bool is_alpha(const Text& text, Heap& heap);
bool is_digit(const Text& text, Heap& heap);
bool is_alnum(const Text& text, Heap& heap);
bool is_space(const Text& text, Heap& heap);
bool is_upper(const Text& text, Heap& heap);
bool is_lower(const Text& text, Heap& heap);

}  // namespace vkgpt::text::jinja
