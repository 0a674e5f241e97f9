#pragma once

#include <string_view>

#include "text/chat/runtime.hpp"

namespace vkgpt::text::jinja {

using Filter = Value (*)(Runtime& runtime, const Value& input, const Arguments& arguments);
using Test = bool (*)(Runtime& runtime, const Value& input, const Arguments& arguments);

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
