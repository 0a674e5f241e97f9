// Filters on sequences.

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "vkgpt/core/format.hpp"

#include "text/chat/filters.hpp"
#include "text/chat/methods.hpp"
#include "text/chat/operations.hpp"
#include "text/chat/text_case.hpp"

namespace vkgpt::text::jinja {
namespace {

std::int64_t positive(const Value& value, std::string_view what) {
  const std::int64_t number = expect_integer(value, what);
  if (number < 1 || number > 1'000'000)
    throw Failure(vkgpt::format("{} takes a number from 1 to 1000000", what));
  return number;
}

Value first(Runtime& runtime, const Value& input, const Arguments& arguments) {
  bind(arguments, {});
  const List& list = items_of(input, runtime.heap());
  return list.items.empty() ? Value(Undefined{.name = "the first of no items"}) : list.items.front();
}

Value last(Runtime& runtime, const Value& input, const Arguments& arguments) {
  bind(arguments, {});
  const List& list = items_of(input, runtime.heap());
  return list.items.empty() ? Value(Undefined{.name = "the last of no items"}) : list.items.back();
}

Value length(Runtime&, const Value& input, const Arguments& arguments) {
  bind(arguments, {});
  return length_of(input);
}

Value to_list(Runtime& runtime, const Value& input, const Arguments& arguments) {
  bind(arguments, {});
  return runtime.heap().list(items_of(input, runtime.heap()).items);
}

Value reverse(Runtime& runtime, const Value& input, const Arguments& arguments) {
  bind(arguments, {});
  if (is<Text>(input)) return slice_of(input, None{}, None{}, std::int64_t{-1}, runtime.heap());
  std::vector<Value> items = items_of(input, runtime.heap()).items;
  std::ranges::reverse(items);
  return runtime.heap().list(std::move(items));
}

Value items(Runtime& runtime, const Value& input, const Arguments& arguments) {
  bind(arguments, {});
  if (is<Undefined>(input)) return runtime.heap().list({});
  if (!is<const Dict*>(input)) throw Failure(vkgpt::format("items takes a dict, not {}", type_name(input)));
  return runtime.call(attribute_of(input, "items", runtime), {});
}

Value attr(Runtime& runtime, const Value& input, const Arguments& arguments) {
  const Value name = bind(arguments, {"name"}, 1)[0];
  return is<const Dict*>(input) ? Value(Undefined{.name = "an attribute"})
                                : attribute_of(input, expect_text(name, "attr").bytes, runtime);
}

/// What items are ordered by: themselves or what a path leads to, in lower case unless told otherwise.
Value sort_key(const Value& item, const Value& path, bool case_sensitive, Runtime& runtime) {
  const Value key = is<Undefined>(path) || is<None>(path) ? item : follow_path(item, path, runtime);
  const auto* text = get_if<Text>(key);
  return text == nullptr || case_sensitive ? key : Value(lower_case(*text, runtime.heap()));
}

using Keyed = std::vector<std::pair<Value, Value>>;

/// Items with their keys, in the order of the keys.
Keyed sorted(const List& list, const Value& path, bool case_sensitive, bool reversed, Runtime& runtime) {
  Keyed keyed;
  runtime.heap().charge(list.items.size() * sizeof(std::pair<Value, Value>));
  for (const Value& item : list.items)
    keyed.emplace_back(sort_key(item, path, case_sensitive, runtime), item);
  std::ranges::stable_sort(keyed, [&](const auto& a, const auto& b) {
    runtime.heap().step();
    return reversed ? compare(b.first, a.first) < 0 : compare(a.first, b.first) < 0;
  });
  return keyed;
}

Value sort(Runtime& runtime, const Value& input, const Arguments& arguments) {
  const std::vector<Value> given = bind(arguments, {"reverse", "case_sensitive", "attribute"});
  std::vector<Value> list;
  const List& all = items_of(input, runtime.heap());
  for (auto& [key, item] : sorted(all, given[2], is_true(given[1]), is_true(given[0]), runtime))
    list.push_back(item);
  return runtime.heap().list(std::move(list));
}

Value dictsort(Runtime& runtime, const Value& input, const Arguments& arguments) {
  const std::vector<Value> given = bind(arguments, {"case_sensitive", "by", "reverse"});
  const bool by_value = !is<Undefined>(given[1]) && expect_text(given[1], "dictsort").bytes == "value";
  const Value pairs = items(runtime, input, {});
  const Value place = std::int64_t{by_value ? 1 : 0};
  std::vector<Value> list;
  for (auto& [key, item] :
       sorted(**get_if<const List*>(pairs), place, is_true(given[0]), is_true(given[2]), runtime)) {
    list.push_back(item);
  }
  return runtime.heap().list(std::move(list));
}

Value unique(Runtime& runtime, const Value& input, const Arguments& arguments) {
  const std::vector<Value> given = bind(arguments, {"case_sensitive", "attribute"});
  std::vector<Value> keys;
  std::vector<Value> list;
  for (const Value& item : items_of(input, runtime.heap()).items) {
    const Value key = sort_key(item, given[1], is_true(given[0]), runtime);
    runtime.heap().step(keys.size() + 1);
    if (std::ranges::any_of(keys, [&](const Value& other) { return equal(key, other); })) continue;
    keys.push_back(key);
    list.push_back(item);
  }
  return runtime.heap().list(std::move(list));
}

Value extreme(Runtime& runtime, const Value& input, const Arguments& arguments, int wanted) {
  const std::vector<Value> given = bind(arguments, {"case_sensitive", "attribute"});
  Value best = Undefined{.name = "the extreme of no items"};
  Value best_key;
  bool any = false;
  for (const Value& item : items_of(input, runtime.heap()).items) {
    runtime.heap().step();
    const Value key = sort_key(item, given[1], is_true(given[0]), runtime);
    if (any && compare(key, best_key) * wanted <= 0) continue;
    best = item;
    best_key = key;
    any = true;
  }
  return best;
}
Value least(Runtime& runtime, const Value& input, const Arguments& arguments) {
  return extreme(runtime, input, arguments, -1);
}
Value greatest(Runtime& runtime, const Value& input, const Arguments& arguments) {
  return extreme(runtime, input, arguments, 1);
}

Value sum(Runtime& runtime, const Value& input, const Arguments& arguments) {
  const std::vector<Value> given = bind(arguments, {"attribute", "start"});
  Value total = is<Undefined>(given[1]) ? Value(std::int64_t{0}) : given[1];
  for (const Value& item : items_of(input, runtime.heap()).items) {
    runtime.heap().step();
    const bool whole = is<Undefined>(given[0]) || is<None>(given[0]);
    total =
        combine(Operator::kAdd, total, whole ? item : follow_path(item, given[0], runtime), runtime.heap());
  }
  return total;
}

Value batch(Runtime& runtime, const Value& input, const Arguments& arguments) {
  const std::vector<Value> given = bind(arguments, {"linecount", "fill_with"}, 1);
  const auto size = static_cast<std::size_t>(positive(given[0], "batch"));
  const List& list = items_of(input, runtime.heap());
  std::vector<Value> lines;
  for (std::size_t at = 0; at < list.items.size(); at += size) {
    const std::size_t end = std::min(at + size, list.items.size());
    std::vector<Value> line(list.items.begin() + static_cast<std::ptrdiff_t>(at),
                            list.items.begin() + static_cast<std::ptrdiff_t>(end));
    if (!is<Undefined>(given[1]) && !is<None>(given[1])) {
      runtime.heap().charge(size * sizeof(Value));
      line.resize(size, given[1]);
    }
    lines.push_back(runtime.heap().list(std::move(line)));
  }
  return runtime.heap().list(std::move(lines));
}

Value slice(Runtime& runtime, const Value& input, const Arguments& arguments) {
  const std::vector<Value> given = bind(arguments, {"slices", "fill_with"}, 1);
  const std::int64_t count = positive(given[0], "slice");
  runtime.heap().step(static_cast<std::uint64_t>(count));
  const List& list = items_of(input, runtime.heap());
  const auto total = static_cast<std::int64_t>(list.items.size());
  std::vector<Value> slices;
  auto at = list.items.begin();
  for (std::int64_t i = 0; i < count; ++i) {
    const bool extra = i < total % count;
    const auto end = at + total / count + (extra ? 1 : 0);
    std::vector<Value> part(at, end);
    if (!extra && !is<Undefined>(given[1]) && !is<None>(given[1])) part.push_back(given[1]);
    slices.push_back(runtime.heap().list(std::move(part)));
    at = end;
  }
  return runtime.heap().list(std::move(slices));
}

Value groupby(Runtime& runtime, const Value& input, const Arguments& arguments) {
  const std::vector<Value> given = bind(arguments, {"attribute", "default", "case_sensitive"}, 1);
  Heap& heap = runtime.heap();
  const Keyed keyed = sorted(items_of(input, heap), given[0], is_true(given[2]), false, runtime);
  std::vector<Value> groups;
  for (std::size_t begin = 0; begin < keyed.size();) {
    std::size_t end = begin;
    std::vector<Value> members;
    while (end < keyed.size() && equal(keyed[begin].first, keyed[end].first))
      members.push_back(keyed[end++].second);
    const Value key = follow_path(members.front(), given[0], runtime);
    groups.push_back(heap.list({key, heap.list(std::move(members))}, true));
    begin = end;
  }
  return heap.list(std::move(groups));
}

constexpr auto kListFilters = std::to_array<Named<Filter>>({{"first", first},
                                                            {"last", last},
                                                            {"length", length},
                                                            {"count", length},
                                                            {"list", to_list},
                                                            {"reverse", reverse},
                                                            {"items", items},
                                                            {"attr", attr},
                                                            {"sort", sort},
                                                            {"dictsort", dictsort},
                                                            {"unique", unique},
                                                            {"min", least},
                                                            {"max", greatest},
                                                            {"sum", sum},
                                                            {"batch", batch},
                                                            {"slice", slice},
                                                            {"groupby", groupby}});

}  // namespace

Filter find_list_filter(std::string_view name) {
  return find_named(kListFilters, name);
}

Value follow_path(const Value& of, const Value& path, Runtime& runtime) {
  if (!is<Text>(path)) return subscript_of(of, path, runtime);
  Value at = of;
  std::string_view rest = get_if<Text>(path)->bytes;
  while (true) {
    runtime.heap().step();
    const std::size_t dot = rest.find('.');
    const std::string_view name = rest.substr(0, dot);
    const bool digits =
        !name.empty() && name.size() < 18 && name.find_first_not_of("0123456789") == std::string_view::npos;
    const Value key = digits ? Value(std::int64_t{std::stoll(std::string(name))}) : text_value(name);
    at = subscript_of(at, key, runtime);
    if (dot == std::string_view::npos) return at;
    rest.remove_prefix(dot + 1);
  }
}

}  // namespace vkgpt::text::jinja
