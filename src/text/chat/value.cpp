#include "text/chat/value.hpp"

#include <algorithm>
#include <array>

#include "vkgpt/core/format.hpp"

namespace vkgpt::text::jinja {
namespace {

[[noreturn]] void too_deep() {
  throw Failure("values are nested too deeply to be compared");
}

bool equal_at(const Value& left, const Value& right, int depth);

bool equal_lists(const List& left, const List& right, int depth) {
  return left.tuple == right.tuple &&
         std::ranges::equal(left.items, right.items,
                            [&](const Value& a, const Value& b) { return equal_at(a, b, depth + 1); });
}

bool equal_dicts(const Dict& left, const Dict& right, int depth) {
  if (left.members.size() != right.members.size()) return false;
  return std::ranges::all_of(left.members, [&](const auto& member) {
    return std::ranges::any_of(right.members, [&](const auto& other) {
      return equal_at(member.first, other.first, depth + 1) &&
             equal_at(member.second, other.second, depth + 1);
    });
  });
}

bool equal_at(const Value& left, const Value& right, int depth) {
  if (depth > kMaxDepth) too_deep();
  const auto a = as_integer(left);
  const auto b = as_integer(right);
  if (a && b) return *a == *b;
  const auto x = as_number(left);
  const auto y = as_number(right);
  if (x && y) return *x == *y;
  if (left.index() != right.index()) return false;
  if (const auto* text = get_if<Text>(left)) return text->bytes == get_if<Text>(right)->bytes;
  if (const auto* list = get_if<const List*>(left)) {
    return equal_lists(**list, **get_if<const List*>(right), depth);
  }
  if (const auto* dict = get_if<const Dict*>(left)) {
    return equal_dicts(**dict, **get_if<const Dict*>(right), depth);
  }
  if (is<Undefined>(left) || is<None>(left)) return true;
  if (const auto* space = get_if<Namespace*>(left)) return *space == *get_if<Namespace*>(right);
  if (const auto* function = get_if<const Function*>(left))
    return *function == *get_if<const Function*>(right);
  return *get_if<const Loop*>(left) == *get_if<const Loop*>(right);
}

int sign(auto left, auto right) {
  return left < right ? -1 : left > right ? 1 : 0;
}

int compare_at(const Value& left, const Value& right, int depth) {
  if (depth > kMaxDepth) too_deep();
  const auto a = as_integer(left);
  const auto b = as_integer(right);
  if (a && b) return sign(*a, *b);
  const auto x = as_number(left);
  const auto y = as_number(right);
  if (x && y) return sign(*x, *y);
  const auto* text = get_if<Text>(left);
  const auto* other = get_if<Text>(right);
  // UTF-8 has the order of its characters.
  if (text != nullptr && other != nullptr) return sign(text->bytes, other->bytes);
  const auto* list = get_if<const List*>(left);
  const auto* list2 = get_if<const List*>(right);
  if (list != nullptr && list2 != nullptr && (*list)->tuple == (*list2)->tuple) {
    const auto& l = (*list)->items;
    const auto& r = (*list2)->items;
    for (std::size_t i = 0; i < std::min(l.size(), r.size()); ++i) {
      if (!equal_at(l[i], r[i], depth + 1)) return compare_at(l[i], r[i], depth + 1);
    }
    return sign(l.size(), r.size());
  }
  throw Failure(vkgpt::format("there is no order between {} and {}", type_name(left), type_name(right)));
}

}  // namespace

const Value* Dict::find(std::string_view key) const {
  for (const auto& [name, value] : members) {
    const auto* text = get_if<Text>(name);
    if (text != nullptr && text->bytes == key) return &value;
  }
  return nullptr;
}

std::vector<Value> bind(const Arguments& arguments, std::initializer_list<std::string_view> names,
                        std::size_t required) {
  if (arguments.positional.size() > names.size()) {
    throw Failure(vkgpt::format("{} arguments are given, at most {} are taken", arguments.positional.size(),
                                names.size()));
  }
  std::vector<Value> bound = arguments.positional;
  bound.resize(names.size());
  std::vector<bool> given(names.size());
  std::fill_n(given.begin(), arguments.positional.size(), true);
  for (const auto& [name, value] : arguments.named) {
    const auto found = std::ranges::find(names, name);
    if (found == names.end()) throw Failure(vkgpt::format("there is no argument '{}'", name));
    const auto i = static_cast<std::size_t>(found - names.begin());
    if (given[i]) throw Failure(vkgpt::format("argument '{}' is given twice", name));
    given[i] = true;
    bound[i] = value;
  }
  for (std::size_t i = 0; i < required; ++i) {
    if (!given[i]) throw Failure(vkgpt::format("argument '{}' is missing", names.begin()[i]));
  }
  return bound;
}

std::string_view type_name(const Value& value) {
  constexpr std::array<std::string_view, std::variant_size_v<Value>> kNames = {
      "undefined", "None", "bool", "int", "float", "str", "list", "dict", "namespace", "function", "loop"};
  if (const auto* list = get_if<const List*>(value); list != nullptr && (*list)->tuple) return "tuple";
  return kNames[value.index()];
}

std::optional<std::int64_t> as_integer(const Value& value) {
  if (const auto* boolean = get_if<bool>(value)) return *boolean ? 1 : 0;
  if (const auto* integer = get_if<std::int64_t>(value)) return *integer;
  return std::nullopt;
}

std::optional<double> as_number(const Value& value) {
  if (const auto* number = get_if<double>(value)) return *number;
  const auto integer = as_integer(value);
  return integer ? std::optional(static_cast<double>(*integer)) : std::nullopt;
}

bool is_true(const Value& value) {
  if (const auto number = as_number(value)) return *number != 0;
  if (const auto* text = get_if<Text>(value)) return !text->bytes.empty();
  if (const auto* list = get_if<const List*>(value)) return !(*list)->items.empty();
  if (const auto* dict = get_if<const Dict*>(value)) return !(*dict)->members.empty();
  return !is<Undefined>(value) && !is<None>(value);
}

bool equal(const Value& left, const Value& right) {
  return equal_at(left, right, 0);
}

int compare(const Value& left, const Value& right) {
  return compare_at(left, right, 0);
}

const Text& expect_text(const Value& value, std::string_view what) {
  const auto* text = get_if<Text>(value);
  if (text == nullptr) throw Failure(vkgpt::format("{} takes text, not {}", what, type_name(value)));
  return *text;
}

std::int64_t expect_integer(const Value& value, std::string_view what) {
  const auto integer = as_integer(value);
  if (!integer) throw Failure(vkgpt::format("{} takes a whole number, not {}", what, type_name(value)));
  return *integer;
}

}  // namespace vkgpt::text::jinja
