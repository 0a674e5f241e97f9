#pragma once

#include <ctime>

#include "text/chat/runtime.hpp"

namespace vkgpt::text::jinja {

/// The functions that every template may call: those of Jinja 2 and of transformers. `now` is what
/// strftime_now() tells, in local time.
std::vector<std::pair<std::string_view, Value>> builtin_functions(Heap& heap, std::time_t now);

}  // namespace vkgpt::text::jinja
