// Filters that take other filters and tests: map, select and their kin.

#include <algorithm>
#include <array>
#include <iterator>
#include <utility>

#include "text/chat/filters.hpp"
#include "text/chat/operations.hpp"

namespace vkgpt::text::jinja {
namespace {

Value default_filter(Runtime&, const Value& input, const Arguments& arguments) {
  const std::vector<Value> given = bind(arguments, {"default_value", "boolean"});
  const bool missing = is<Undefined>(input) || (is_true(given[1]) && !is_true(input));
  if (!missing) return input;
  return is<Undefined>(given[0]) && arguments.positional.empty() ? text_value("") : given[0];
}

/// The arguments after the first `count`.
Arguments without_first(const Arguments& arguments, std::size_t count) {
  Arguments rest{.positional = {}, .named = arguments.named};
  rest.positional.assign(arguments.positional.begin() + static_cast<std::ptrdiff_t>(count),
                         arguments.positional.end());
  return rest;
}

Value map(Runtime& runtime, const Value& input, const Arguments& arguments) {
  std::vector<Value> mapped;
  if (!is_true(input)) return runtime.heap().list({});  // none too, as in Jinja
  const List& list = items_of(input, runtime.heap());
  if (arguments.positional.empty()) {
    const std::vector<Value> given = bind(arguments, {"attribute", "default"}, 1);
    for (const Value& item : list.items) {
      const Value found = follow_path(item, given[0], runtime);
      mapped.push_back(is<Undefined>(found) && !is<Undefined>(given[1]) ? given[1] : found);
    }
  } else {
    const std::string_view name = expect_text(arguments.positional[0], "map").bytes;
    const Arguments rest = without_first(arguments, 1);
    for (const Value& item : list.items) mapped.push_back(runtime.filter(name, item, rest));
  }
  return runtime.heap().list(std::move(mapped));
}

/// The items, or those whose attribute, for which a test's answer is `wanted`; without a test, truth is
/// asked.
Value chosen(Runtime& runtime, const Value& input, const Arguments& arguments, bool wanted,
             bool by_attribute) {
  const std::size_t skipped = by_attribute ? 1 : 0;
  if (!is_true(input)) return runtime.heap().list({});  // none too, as in Jinja
  if (arguments.positional.size() < skipped) throw Failure("the name of an attribute is missing");
  const bool tests = arguments.positional.size() > skipped;
  const std::string_view name =
      tests ? expect_text(arguments.positional[skipped], "a test's name").bytes : std::string_view();
  const Arguments rest = without_first(arguments, tests ? skipped + 1 : skipped);
  const auto answer = [&](const Value& item) {
    runtime.heap().step();
    const Value what = by_attribute ? follow_path(item, arguments.positional[0], runtime) : item;
    return tests ? runtime.test(name, what, rest) : is_true(what);
  };
  std::vector<Value> kept;
  std::ranges::copy_if(items_of(input, runtime.heap()).items, std::back_inserter(kept),
                       [&](const Value& item) { return answer(item) == wanted; });
  return runtime.heap().list(std::move(kept));
}

template <bool Wanted, bool ByAttribute>
Value choose(Runtime& runtime, const Value& input, const Arguments& arguments) {
  return chosen(runtime, input, arguments, Wanted, ByAttribute);
}

constexpr auto kChoiceFilters = std::to_array<Named<Filter>>({{"default", default_filter},
                                                              {"d", default_filter},
                                                              {"map", map},
                                                              {"select", choose<true, false>},
                                                              {"reject", choose<false, false>},
                                                              {"selectattr", choose<true, true>},
                                                              {"rejectattr", choose<false, true>}});

}  // namespace

Filter find_choice_filter(std::string_view name) {
  return find_named(kChoiceFilters, name);
}

Filter find_filter(std::string_view name) {
  for (const auto find : {find_text_filter, find_list_filter, find_choice_filter}) {
    if (const Filter filter = find(name)) return filter;
  }
  return nullptr;
}

}  // namespace vkgpt::text::jinja
