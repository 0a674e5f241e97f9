#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <string_view>

#include "text/chat/runtime.hpp"

namespace vkgpt::text::jinja {

using Filter = Value (*)(Runtime& runtime, const Value& input, const Arguments& arguments);
using Test = bool (*)(Runtime& runtime, const Value& input, const Arguments& arguments);

/// A filter or a test with its name, and the one of that name in a table of them; null where there is none.
template <typename Function>
struct Named {
  std::string_view name;
  Function run;
};
template <typename Function, std::size_t kCount>
Function find_named(const std::array<Named<Function>, kCount>& table, std::string_view name) {
  const auto found = std::ranges::find(table, name, &Named<Function>::name);
  return found == table.end() ? nullptr : found->run;
}

/// Jinja 2's filter of that name, with `tojson` as transformers has it; null where there is none here.
Filter find_filter(std::string_view name);
Filter find_text_filter(std::string_view name);
Filter find_list_filter(std::string_view name);
Filter find_choice_filter(std::string_view name);

/// Jinja 2's test of that name; null where there is none.
Test find_test(std::string_view name);

/// What a path like "function.name" or a number leads to from `of`.
Value follow_path(const Value& of, const Value& path, Runtime& runtime);

}  // namespace vkgpt::text::jinja
