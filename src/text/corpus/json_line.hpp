#pragma once

#include <functional>
#include <string>
#include <string_view>

namespace vkgpt::text {

/// Throws `Error` with the way out where a file that begins with `first_line` is one JSON value over its
/// lines rather than JSON Lines.
void refuse_json_document(std::string_view first_line, const std::function<std::string()>& where);

/// The string `field` of the JSON object that `line` is; empty for a blank line. A byte order mark before the
/// first line is passed over. Throws `Error`, which begins with what `where` gives, for invalid JSON and
/// UTF-8, a field that is missing, twice there or no string, and nesting beyond 64 levels.
std::string json_line_text(std::string_view line, bool is_first, std::string_view field,
                           const std::function<std::string()>& where);

}  // namespace vkgpt::text
