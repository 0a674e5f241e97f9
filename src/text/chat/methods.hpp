#pragma once

#include <string_view>

#include "text/chat/runtime.hpp"

namespace vkgpt::text::jinja {

/// `of.name`: a method, else an item. Undefined where there is neither; fails where `of` is undefined.
Value attribute_of(const Value& of, std::string_view name, Runtime& runtime);
/// `of[key]`: an item, else, where the key is a name, a method.
Value subscript_of(const Value& of, const Value& key, Runtime& runtime);

/// A method of Python's str called `name`; undefined where there is none.
Value text_method(const Text& text, std::string_view name, Heap& heap);

/// At most `count` replacements; below 0: all.
Text replaced(const Text& text, const Text& from, const Text& to, std::int64_t count, Heap& heap);

}  // namespace vkgpt::text::jinja
