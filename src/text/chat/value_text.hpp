#pragma once

#include <string>

#include "text/chat/heap.hpp"

namespace vkgpt::text::jinja {

/// A number as Python writes it: the fewest digits that give it back.
std::string python_number(double number);

/// What `{{ value }}` writes: Python's str().
void append_text(const Value& value, TextBuilder& out);
Text to_text(const Value& value, Heap& heap);
/// Python's repr().
void append_repr(const Value& value, TextBuilder& out);

/// How `tojson` writes.
struct JsonStyle {
  std::optional<std::int64_t> indent = {};
  bool ascii = false;
  bool sorted = false;
  std::string item_separator = ", ";
  std::string key_separator = ": ";
};
/// Python's json.dumps(). Fails for what is no JSON.
void append_json(const Value& value, const JsonStyle& style, TextBuilder& out);

}  // namespace vkgpt::text::jinja
