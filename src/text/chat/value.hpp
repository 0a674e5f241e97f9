#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "text/chat/marked_text.hpp"

namespace vkgpt::text::jinja {

struct List;
struct Dict;
struct Namespace;
struct Function;
struct Loop;

/// What a template asks for and is not there; `name` says what, for messages.
struct Undefined {
  std::string_view name = {};
};
struct None {};

/// A value of the template's language: Python's, as far as templates can tell. Small and copied freely; what
/// it points to belongs to a `Heap`.
using Value = std::variant<Undefined, None, bool, std::int64_t, double, Text, const List*, const Dict*,
                           Namespace*, const Function*, const Loop*>;

/// Values that are nested deeper are refused.
inline constexpr int kMaxDepth = 100;

struct List {
  std::vector<Value> items;
  bool tuple = false;
};

/// Members in the order in which they were given.
struct Dict {
  std::vector<std::pair<Value, Value>> members;

  const Value* find(std::string_view key) const;
};

/// What `namespace()` makes: the one thing that can be changed.
struct Namespace {
  std::vector<std::pair<std::string_view, Value>> members;
};

/// What a function is called with.
struct Arguments {
  std::vector<Value> positional = {};
  std::vector<std::pair<std::string_view, Value>> named = {};
};

/// The arguments in the order of `names`, undefined where none is given. Fails for others, and where one of
/// the first `required` is missing.
std::vector<Value> bind(const Arguments& arguments, std::initializer_list<std::string_view> names,
                        std::size_t required = 0);

class Runtime;

struct Function {
  std::string_view name;
  std::function<Value(Runtime&, const Arguments&)> call;
};

/// What `loop` is inside a loop.
struct Loop {
  const List* items = nullptr;
  std::int64_t index = 0;  ///< from 0
  std::int64_t depth = 1;
  const Function* recurse = nullptr;                    ///< null: not a recursive loop
  mutable std::optional<std::vector<Value>> last = {};  ///< what `changed` saw
};

template <typename T>
const T* get_if(const Value& value) {
  return std::get_if<T>(&value);
}
template <typename T>
bool is(const Value& value) {
  return std::holds_alternative<T>(value);
}

/// Text of the template's own.
inline Value text_value(std::string_view bytes) {
  return Text{.bytes = bytes};
}

/// Python's name of the type, for messages.
std::string_view type_name(const Value& value);
/// A whole number: an integer or a truth value.
std::optional<std::int64_t> as_integer(const Value& value);
std::optional<double> as_number(const Value& value);

bool is_true(const Value& value);
bool equal(const Value& left, const Value& right);
/// Below 0, 0, above 0. Fails for what has no order.
int compare(const Value& left, const Value& right);

/// The text of a string. Fails for others; `what` says who asked.
const Text& expect_text(const Value& value, std::string_view what);
std::int64_t expect_integer(const Value& value, std::string_view what);

}  // namespace vkgpt::text::jinja
