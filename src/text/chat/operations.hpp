#pragma once

#include <optional>

#include "text/chat/heap.hpp"
#include "text/chat/syntax.hpp"

namespace vkgpt::text::jinja {

/// `left operator right` by Python's rules, but for comparisons. Fails where those have none.
Value combine(Operator operation, const Value& left, const Value& right, Heap& heap);
/// A comparison.
bool compares(Operator operation, const Value& left, const Value& right, Heap& heap);
Value negative(const Value& value);
/// Python's a % b. Fails where b is 0.
std::int64_t floor_remainder(std::int64_t a, std::int64_t b);

/// What a loop over `value` goes through: items, characters, keys. Fails for what is no sequence.
const List& items_of(const Value& value, Heap& heap);
/// Python's len().
std::int64_t length_of(const Value& value);

/// `of[key]` where `of` has it, else undefined. Fails where `of` is undefined.
Value item_of(const Value& of, const Value& key, Heap& heap);
/// `of[begin:end:step]`; none and undefined are left out.
Value slice_of(const Value& of, const Value& begin, const Value& end, const Value& step, Heap& heap);

/// Character `index` of `text`, which has it.
Text character_at(const Text& text, std::int64_t index);
/// The characters of `text`.
std::vector<Value> characters_of(const Text& text, Heap& heap);

}  // namespace vkgpt::text::jinja
